# Waybill. `make help` lists what there is.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Trivy needs encoding/json/v2; everything is built with it, so that all builds
# and tests share one cache.
export GOEXPERIMENT := jsonv2
export CGO_ENABLED := 0
VERSION := $(shell cat actions/version.txt)
LDFLAGS := -s -w -X github.com/waybill-dev/waybill/internal/command/cli.version=$(VERSION)
GO_BUILD := go build -ldflags '$(LDFLAGS)'
BINARIES := waybill waybill-scan waybill-sandbox sigstore-kms-waybill

# The public command lines that Waybill has to agree with: internal/tools/peers has
# each module at the version that Waybill itself links, so that one cache serves
# both. And the servers and runners that the tests start.
PEERS := github.com/sigstore/cosign/v2/cmd/cosign github.com/aquasecurity/trivy/cmd/trivy \
	github.com/google/go-containerregistry/cmd/crane helm.sh/helm/v3/cmd/helm sigs.k8s.io/kustomize/kustomize/v5
TOOLS := bin/tools

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the binaries into bin/
	@for b in $(BINARIES); do echo "build $$b"; $(GO_BUILD) -o bin/$$b ./cmd/$$b || exit 1; done

.PHONY: packages
packages: ## Install the Debian packages that tests and demo use, where they are missing
	@bash scripts/packages.sh

.PHONY: tools
tools: tools-demo tools-peers tools-tofu ## Build the tools of the tests into bin/tools

.PHONY: tools-demo
tools-demo: ## Build the tools of the demo: act, BuildKit and Sigstore's servers
	@mkdir -p $(TOOLS)
	@cd internal/tools/act && go build -o ../../../$(TOOLS)/act github.com/nektos/act
	@cd internal/tools && go build -o ../../$(TOOLS)/fulcio github.com/sigstore/fulcio
	@cd internal/tools && go build -o ../../$(TOOLS)/rekor-server github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix
	@cd internal/tools && go build -o ../../$(TOOLS)/timestamp-server ./timestamp-server
	@cd internal/tools && go build -o ../../$(TOOLS)/buildkitd github.com/moby/buildkit/cmd/buildkitd

.PHONY: tools-tofu
tools-tofu:
	@mkdir -p $(TOOLS)
	@cd internal/tools/opentofu && go build -ldflags '-s -w -X github.com/opentofu/opentofu/version.dev=no' -o ../../../$(TOOLS)/tofu github.com/opentofu/opentofu/cmd/tofu

.PHONY: tools-peers
tools-peers:
	@mkdir -p $(TOOLS)
	@cd internal/tools && go build -o ../../$(TOOLS)/actionlint github.com/rhysd/actionlint/cmd/actionlint
	@cd internal/tools/worldprovider && go build -buildvcs=false -ldflags='-s -w' -o ../../../$(TOOLS)/world/registry.terraform.io/waybill-dev/world/1.0.0/$$(go env GOOS)_$$(go env GOARCH)/terraform-provider-world_v1.0.0 .
	@cd internal/tools/peers && go build -o ../../../$(TOOLS)/ $(PEERS)
	@bash scripts/github-openapi.sh $(TOOLS)/github-openapi.json
	@cd internal/tools && go run ./crds ../../$(TOOLS)/crds.yaml
	@cd internal/tools/promql && go build -o ../../../$(TOOLS)/promql .
	@cd internal/tools/kubeadm && go build -ldflags '-s -w' -o ../../../$(TOOLS)/kubeadm k8s.io/kubernetes/cmd/kubeadm
	@cd internal/tools/gh && go build -ldflags '-s -w' -o ../../../$(TOOLS)/gh github.com/cli/cli/v2/cmd/gh
	@cd internal/tools/kyverno && go build -ldflags '-s -w' -o ../../../$(TOOLS)/kyverno github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno
	@cd internal/tools/policycontroller && go build -ldflags '-s -w' -o ../../../$(TOOLS)/policy-tester github.com/sigstore/policy-controller/cmd/tester

.PHONY: peers
peers: ## Give the peers' module the versions that Waybill links, after an update of go.mod
	@bash scripts/peers.sh

.PHONY: test
test: packages build tools ## Run every test, with the real servers; does its own set-up
	GOGC=400 go test -timeout 60m $(TESTFLAGS) ./... # collecting garbage takes a quarter of the time otherwise
	for example in app frontend; do (cd examples/$$example && GOEXPERIMENT= go test $(TESTFLAGS) ./...) || exit 1; done
	@bash scripts/terraform-test.sh

.PHONY: test-terraform
test-terraform: ## Validate, test and scan terraform/ with the real terraform, offline
	@bash scripts/terraform-test.sh

.PHONY: lint
lint: ## Vet, format and layout, actionlint, shellcheck
	@bash scripts/lint.sh
	@if command -v terraform > /dev/null; then terraform fmt -check -recursive -diff terraform; fi

.PHONY: generate
generate: ## Write what is made from other files: actions, options and tables, init's applications, docs/json.md
	go run ./internal/command/actiongen
	go test ./internal/command/starter -run '^TestArchive$$' -update
	go test ./internal/command/views -run '^Test(Documents|Schemas)$$' -update

.PHONY: diagrams
diagrams: ## Draw docs/diagrams from the text beside them; needs graphviz
	@for f in docs/diagrams/*.dot; do dot -Tsvg "$$f" -o "$${f%.dot}.svg"; done

.PHONY: site
site: ## Build the site from docs/ into site/, and follow every link; needs mkdocs-material
	@mkdocs build --quiet --clean

.PHONY: check
check: packages lint ## What a change must pass beside the tests: format, lint, generated files, actionlint, shellcheck
	go run ./internal/command/actiongen -check
	go test ./internal/command/starter -run '^TestArchive$$'
	go test ./internal/command/views -run '^Test(Documents|Schemas)$$'
	@bash scripts/terraform-docs.sh -check
	go mod verify > /dev/null
	go mod tidy -diff

.PHONY: demo
demo: build tools-demo ## Deliver two example applications for real, and print what happened
	bin/waybill-sandbox demo

.PHONY: bench
bench: packages build tools ## Measure against the peers, each pair in the same run; writes docs/benchmarks.md
	go run ./internal/bench -write docs/benchmarks.md

.PHONY: release
release: ## Build the release archives and write their checksums into actions/checksums.txt
	bash scripts/release.sh

.PHONY: sizes
sizes: build ## Print size, start-up time and module count of the binaries
	@bash scripts/sizes.sh

# The linters of its own: each compiles first or takes long, so none is part of
# make check, and CI has a job for each.
.PHONY: golangci
golangci: ## Run golangci-lint
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0 run --timeout 60m ./...

.PHONY: govulncheck
govulncheck: ## Look for known vulnerabilities that the code can reach; asks vuln.go.dev
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME, 10s if it is not set
	@bash scripts/fuzz.sh

.PHONY: race
race: ## Test the packages that start goroutines with the race detector; needs a C compiler
	@bash scripts/race.sh
