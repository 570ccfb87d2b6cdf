# make help lists what can be done here.

SHELL := /bin/bash
.DEFAULT_GOAL := build

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -X main.version=$(VERSION)
TOOL     := go tool -modfile=tools/go.mod
BENCH    ?= all
FUZZTIME ?= 30s
SOAK     ?= 10m

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

needs: # what a build cannot do without
	@./scripts/needs

build: needs ## build bin/trailhook
	go build -ldflags '$(LDFLAGS)' -o bin/trailhook ./cmd/trailhook

demo: build ## run the tutorial, start to end, in a temporary directory
	./bin/trailhook demo

serve: build ## run the server in ./trailhook-data
	./bin/trailhook serve --tls auto --allow-private-destinations

test: needs ## every test, with the race detector
	go test -race -timeout 20m ./...

lint: needs ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	go vet ./...
	$(TOOL) staticcheck ./...

bench: needs ## the benchmarks: name value unit, a line each (BENCH=tutorial: one group)
	@go run ./bench $(BENCH)

fuzz: needs ## every fuzz target for FUZZTIME (30s)
	./scripts/fuzz $(FUZZTIME)

soak: needs ## kill the server at random moments, for SOAK (10m) a test, and look for what it answered and owes
	TRAILHOOK_SOAK=$(SOAK) go test -race -count=1 -timeout 0 -run 'Killed' -v ./cmd/trailhook
	TRAILHOOK_SOAK=$(SOAK) go test -race -count=1 -timeout 0 -run 'Outage' -v ./internal/delivery

.PHONY: help needs build demo serve test lint bench fuzz soak
