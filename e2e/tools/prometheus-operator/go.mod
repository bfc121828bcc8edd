// The CRDs of the Prometheus operator, which the chart's monitors and rules are held against.
module wakegate.dev/e2e/tools/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
