// The Gateway API whose CRDs the end-to-end tests apply, taken from its own module.
module wakegate.dev/e2e/tools/gateway-api

go 1.26.0

require sigs.k8s.io/gateway-api v1.5.1
