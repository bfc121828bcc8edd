// The CRDs of cert-manager, which the chart and deploy/cert-manager are held against.
module wakegate.dev/e2e/tools/cert-manager

go 1.26.0

require github.com/cert-manager/cert-manager v1.20.0
