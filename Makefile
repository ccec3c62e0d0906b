# Needs Go alone; race also needs a C compiler. Tools are fetched at these versions.
GO          ?= go
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
PLATFORMS   ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
PACKAGES    ?= ./...
FUZZTIME    ?= 10s
MUTATE      ?=
STORM       ?= 10m

# Lists what stands in test files as "folder name" for each function of a kind.
tests = grep -rnE --include='*_test.go' '^func $(1)' . | sed -E 's|^(.*)/[^/]*:[0-9]+:func ([A-Za-z0-9_]+).*|\1 \2|'

.PHONY: help build cross test race storm lint vuln fuzz bench bench-once mutation cover clean

help: ## say what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1	\2/p' Makefile

build: ## detector and replayer for this machine, in bin/
	$(GO) build -o bin/ ./cmd/...

cross: ## and for every platform, in bin/OS-ARCH/
	@set -e; for p in $(PLATFORMS); do echo "build $$p"; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o bin/$${p%/*}-$${p#*/}/ ./cmd/...; done

test: ## all tests
	$(GO) test $(PACKAGES)

race: ## all tests with the race detector
	$(GO) test -race -short $(PACKAGES)

storm: ## kill detectors and their NATS server at random for STORM
	MISSTEP_STORM=$(STORM) $(GO) test ./cmd/detector -run '^TestStorm$$' -count 1 -v -timeout 0

lint: vuln ## format, vet, staticcheck, go.mod, known vulnerabilities
	@out=$$($(GO) run $(GOFUMPT) -l .) && if [ -n "$$out" ]; then echo "gofumpt -w is due:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

# The database of vulnerabilities is on the network and changes by the day, so in
# CI, where the same commit must give the same verdict, it only warns.
vuln: ## known vulnerabilities alone
	@out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1) && exit 0; echo "$$out"; \
	case "$$out" in \
	*"exit status 3"*) echo "WARNING: VULNERABILITIES FOUND, SEE ABOVE"; [ "$$CI" = true ] ;; \
	*"fetching vulnerabilities"*) echo "WARNING: NOT CHECKED FOR VULNERABILITIES: the database cannot be reached" ;; \
	*) exit 1 ;; esac

fuzz: ## each fuzz target for FUZZTIME
	@set -e; $(call tests,Fuzz) | while read -r folder name; do echo "$$folder $$name"; \
	  $(GO) test $$folder -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) </dev/null; done

bench: ## what a step costs, against one pass of jsonparser.ObjectEach
	$(GO) run ./internal/bench

bench-once: ## every benchmark once, to see that it runs
	$(GO) test -run '^$$' -bench . -benchtime 1x $$($(call tests,Benchmark) | cut -d' ' -f1 | sort -u)

mutation: ## negate every condition of the detectors; MUTATE='-sample 60' for a part
	$(GO) run ./internal/mutate -accept fixtures/mutation-survivors.txt -tests ./internal/detect $(MUTATE) ./detectors/...

cover: ## coverage of all packages by all tests, in bin/cover.html
	@mkdir -p bin
	$(GO) test -short -coverpkg=./... -coverprofile=bin/cover.out ./...
	$(GO) tool cover -html=bin/cover.out -o bin/cover.html
	$(GO) tool cover -func=bin/cover.out | tail -1

clean: ## remove what these targets made
	rm -rf bin dist
