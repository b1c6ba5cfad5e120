GO ?= go
BIN := bin
TOOLS := $(abspath $(BIN)/tools)
export CGO_ENABLED ?= 0

# Versions of the tools, in one place.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
DEADCODE := golang.org/x/tools/cmd/deadcode@v0.52.0
# The last version of the Go module that carries AWS's cases for its protocols.
PROTOCOLS := github.com/aws/aws-sdk-go@v1.55.8
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

SEEDS ?= 2000
STEPS ?= 100000
SEED ?= 1
TRIALS ?= 200
# A count of inputs, for with a time `go test -fuzz` may fail by its own deadline
# ("context deadline exceeded") with nothing found.
FUZZTIME ?= 50000x

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## Build bin/steppe
	$(GO) build -trimpath -o $(BIN)/steppe ./cmd/steppe

.PHONY: cross
cross: ## Build for every platform
	for os in linux darwin windows; do for arch in amd64 arm64; do \
		echo $$os/$$arch; GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -o /dev/null ./cmd/steppe || exit 1; done; done

.PHONY: test
test: ## Run the tests
	$(GO) test ./...

.PHONY: check
check: format vet tidy race lint dead ## Run all checks

.PHONY: format
format: $(TOOLS)/gofumpt
	@out=$$($(TOOLS)/gofumpt -l .); test -z "$$out" || { echo "$$out"; exit 1; }

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: tidy
tidy:
	$(GO) mod tidy -diff

.PHONY: race
race: ## Run the tests with the race detector
	CGO_ENABLED=1 $(GO) test -race -shuffle=on ./...

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run the linters
	$(TOOLS)/golangci-lint run

.PHONY: dead
dead: $(TOOLS)/deadcode
	@out=$$($(TOOLS)/deadcode -test ./...); test -z "$$out" || { echo "$$out"; exit 1; }

.PHONY: bench
bench: ## Run all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: protocols
protocols: ## Hold aws/wire against AWS's own cases for each protocol
	dir=$$($(GO) mod download -json $(PROTOCOLS) | sed -n 's/.*"Dir": "\(.*\)",*/\1/p') && \
		STEPPE_PROTOCOL_TESTS=$$dir/models/protocol_tests $(GO) test ./aws/wire -run TestProtocol -count=1

.PHONY: simulate
simulate: ## Run the simulation with SEEDS seeds
	$(GO) test ./engine -run Simulation -count=1 -seeds $(SEEDS) -timeout 60m -v

.PHONY: damage
damage: ## Damage TRIALS data directories for each kind of file, and see that no loss is silent
	$(GO) test ./store/pebble -run 'TestDamage|TestCopied' -count=1 -trials $(TRIALS) -timeout 60m

.PHONY: model
model: ## Hold STEPS random calls of the API against the model of AWS's rules
	$(GO) test ./api -run 'TestModel$$' -count=1 -steps $(STEPS) -modelseed $(SEED) -timeout 60m -v

.PHONY: crash
crash: ## Kill the server at random moments and see that nothing is lost
	$(GO) test ./cmd/steppe -run Crash -count=1 -kills 200 -timeout 60m -v

.PHONY: chaos
chaos: build ## Kill a server KILLS times under EXECUTIONS executions of the example
	bin/steppe chaos examples/order-approval --executions $(EXECUTIONS) --kills $(KILLS)

.PHONY: soak
soak: build ## Have a server under full mixed load for ten minutes, with faults, and see that nothing leaks
	bin/steppe soak

.PHONY: hostile
hostile: build ## Attack servers with all that is known, and see what another tenant notices
	bin/steppe hostile
	bin/steppe hostile --restarts 20

.PHONY: fuzz
fuzz: ## Run each fuzz target on FUZZTIME new inputs
	$(GO) test ./jsonpath -run '^$$' -fuzz FuzzPath -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./jsonata -run '^$$' -fuzz FuzzCompile -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./jsonata -run '^$$' -fuzz FuzzEval -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./query -run '^$$' -fuzz FuzzExpr -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./asl -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./history -run '^$$' -fuzz FuzzDecode -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./history -run '^$$' -fuzz FuzzReader -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./value -run '^$$' -fuzz FuzzDecode -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./aws/wire -run '^$$' -fuzz FuzzRequest -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
	$(GO) test ./aws/wire -run '^$$' -fuzz FuzzResponse -fuzztime $(FUZZTIME) -fuzzminimizetime 1x

N ?= 100000
EXECUTIONS ?= 10000
KILLS ?= 50

.PHONY: differential
differential: jsonata/testdata/oracle/node_modules ## Hold N generated expressions against jsonata-js
	$(GO) test ./jsonata -run Differential -count=1 -differential $(N) -timeout 60m -v

.PHONY: beside
beside: jsonata/testdata/oracle/node_modules ## Tell the speed of jsonata beside that of jsonata-js
	$(GO) test ./jsonata -run Beside -count=1 -beside 5 -v

jsonata/testdata/oracle/node_modules: jsonata/testdata/oracle/package.json
	cd jsonata/testdata/oracle && npm install --no-audit --no-fund --no-package-lock --silent
	touch $@

.PHONY: conformance
conformance: build conformance/testdata/node_modules ## Call all operations with AWS's SDKs for Go, Python and JavaScript and its CLI
	cd conformance && $(GO) test -count=1 ./...

conformance/testdata/node_modules: conformance/testdata/package.json
	cd conformance/testdata && npm install --no-audit --no-fund --no-package-lock --silent
	touch $@

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) $(GO) install $(GOLANGCI)

$(TOOLS)/gofumpt:
	GOBIN=$(TOOLS) $(GO) install $(GOFUMPT)

$(TOOLS)/deadcode:
	GOBIN=$(TOOLS) $(GO) install $(DEADCODE)

$(TOOLS)/benchstat:
	GOBIN=$(TOOLS) $(GO) install $(BENCHSTAT)
