// The CRDs of Istio, which the manifests in envoy-config/istio are held against.
module wakegate.dev/e2e/tools/istio

go 1.26.0

require istio.io/api v1.32.0
