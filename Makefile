# Needs Go alone; race also needs a C compiler. Tools are fetched at these versions.
GO          ?= go
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
PLATFORMS   ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
PACKAGES    ?= ./...
FUZZTIME    ?= 10s
MUTATE      ?=

# Lists what stands in test files as "folder name" for each function of a kind.
tests = grep -rnE --include='*_test.go' '^func $(1)' . | sed -E 's|^(.*)/[^/]*:[0-9]+:func ([A-Za-z0-9_]+).*|\1 \2|'

.PHONY: help build cross test race lint vuln fuzz bench bench-each bench-million bench-nats bench-kafka bench-once arm64 storm storm-kafka storm-short soak quality mutation cover clean

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

bench-each: ## and with each detector alone
	$(GO) run ./internal/bench -each -live 1000 -lines 20000 -rounds 3

bench-million: ## and with a million live trajectories; 3 GiB
	$(GO) run ./internal/bench -only detect -live 10000
	$(GO) run ./internal/bench -only detect -live 1000000

bench-nats: ## the detector on its NATS server, against a plain consumer
	$(GO) run ./internal/pipebench

bench-kafka: ## and on Kafka, against a plain fetch; STATE=1000000 for what so many trajectories cost (3 GiB)
	$(GO) run ./internal/kafkabench
	@if [ -n "$(STATE)" ]; then $(GO) run ./internal/kafkabench -state $(STATE); fi

bench-once: ## every benchmark once, to see that it runs
	$(GO) test -run '^$$' -bench . -benchtime 1x $$($(call tests,Benchmark) | cut -d' ' -f1 | sort -u)

arm64: ## the same output on arm64, under qemu-aarch64 (Debian: qemu-user)
	GOARCH=arm64 $(GO) test -count=1 -exec qemu-aarch64 -run 'TestGoldenHash|TestSameOutput' ./internal/detect
	GOARCH=arm64 $(GO) test -count=1 -exec qemu-aarch64 ./event ./windows ./detectors/state ./detectors/facts

storm: ## kill and stop real detectors for a quarter of an hour and lose nothing
	$(GO) test -count=1 -timeout 20m -run TestCrashAtEveryRecord ./stream/jetstream -every-record
	$(GO) run ./internal/storm -mode external -for 8m -kills 100 -stops 20 -nodes 5
	$(GO) run ./internal/storm -mode embedded -for 3m -kills 60
	$(GO) run ./internal/storm -mode cluster -for 5m -kills 30 -stops 6 -nodes 5

soak: ## half an hour at half load, with kills and reloads: memory and goroutines stand still
	$(GO) run ./internal/storm -mode embedded -soak -for 30m -kills 8 -rate 0 -live 2000

storm-kafka: ## kill and stop detectors on a real Kafka, that join and leave as well; needs Java 17 and Maven
	$(GO) run ./internal/storm -mode kafka -for 9m -kills 100 -stops 20 -leaves 20 -nodes 5
	$(GO) run ./internal/storm -mode kafka -rolling -for 1m
	$(GO) run ./internal/storm -mode kafka -failover -kills 20

storm-short: ## all of them in four minutes
	$(GO) run ./internal/storm -mode external -for 60s -kills 16 -stops 3
	$(GO) run ./internal/storm -mode embedded -for 20s -kills 8
	$(GO) run ./internal/storm -mode cluster -for 40s -kills 5 -stops 1 -nodes 1
	$(GO) run ./internal/storm -mode kafka -for 40s -kills 10 -stops 2 -leaves 2 -nodes 1
	$(GO) run ./internal/storm -mode kafka -rolling -for 10s

quality: ## measure the detectors on the sources in DATA, against QUALITY.md; UPDATE=1 writes it
	$(GO) run ./internal/quality/measure $(if $(UPDATE),-update) $(DATA)

mutation: ## negate every condition of the detectors; MUTATE='-sample 60' for a part
	$(GO) run ./internal/mutate -accept fixtures/mutation-survivors.txt -except fixtures/mutation-except.txt -tests ./internal/detect $(MUTATE) ./detectors/...

cover: ## coverage of all packages by all tests, in bin/cover.html
	@mkdir -p bin
	$(GO) test -short -coverpkg=./... -coverprofile=bin/cover.out ./...
	$(GO) tool cover -html=bin/cover.out -o bin/cover.html
	$(GO) tool cover -func=bin/cover.out | tail -1

clean: ## remove what these targets made
	rm -rf bin dist
