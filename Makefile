# CI runs .ci/run, which goes further than verify:
# TUN devices required, and everything once more as an ordinary user.

GO       ?= go
FUZZTIME ?= 30s

.PHONY: build man test race collect kill fuzz fuzzsegments golden bench peers compare gateways wireguard soak idle determinism bubbles scale bulk wgbulk wgsoak cover lint verify help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

build: ## the command, as ./wsstack
	$(GO) build -o wsstack ./cmd/wsstack

man: ## the manual pages, into man/; man -l man/wsstack-exec.1
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(GO) test -count=1 -run '^TestManual$$' ./cmd/wsstack -man $(CURDIR)/man

test: ## all tests
	$(GO) test ./...

kill: ## 20 networks at once, somebody in each killed at any moment, for KILLROUNDS, 100 rounds
	WSSTACK_KILL_ROUNDS=$(or $(KILLROUNDS),100) $(GO) test -count=1 -timeout 2h -run KilledAnyTime -v ./cmd/wsstack

race: ## all tests, in random order, with the race detector
	$(GO) test -race -shuffle=on ./...

fuzz: ## every fuzz target for FUZZTIME, 30s each
	@set -e; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

# Without the limit of minimizing, most of the time goes into inputs that show nothing.
fuzzsegments: ## the TCP engine alone, for FUZZTIME: segments, calls and time in every state
	$(GO) test -run '^$$' -fuzz '^FuzzSegments$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 20x ./internal/tcp

# The flag -rewrite is datadriven's, or defined by the test itself; the other
# packages would fail with an unknown flag.
golden: ## rewrite the golden files
	$(GO) test $$(grep -rlE 'cockroachdb/datadriven"|flag\.Bool\("rewrite"' --include='*_test.go' . | xargs -n1 dirname | sort -u) -rewrite

bench: ## all benchmarks, no tests
	$(GO) test -run '^$$' -bench . -benchmem ./...

# The module of a peer may be missing where the proxy doesn't have it; the table says so.
peers: ## the peers of compare that are modules of their own
	-for peer in $(notdir $(wildcard bench/peers/*)); do $(GO) build -C bench/peers/$$peer -mod=mod; done

compare: peers ## BENCHMARKS.md: beside other stacks, ways out and Linux, 25 minutes on a quiet machine
	$(GO) run ./bench/compare --markdown BENCHMARKS.md
	$(GO) run ./bench/compare/gateways --markdown BENCHMARKS.md
	$(GO) run ./bench/compare/scale --markdown BENCHMARKS.md
	$(GO) run ./bench/compare/loss --markdown BENCHMARKS.md

gateways: ## only the way out beside slirp4netns, pasta and others, as far as they are installed
	$(GO) run ./bench/compare/gateways

wireguard: ## tunnels beside wireguard-go's netstack, 10 minutes on a quiet machine
	$(GO) run ./bench/compare/wireguard

soak: ## 1,000,000 connections, with linger {1,0} and closed gracefully: nothing is lost
	WSSTACK_SOAK=1000000 $(GO) test -count=1 -timeout 4h -v -run 'ConnectCloseLeaks|GracefulCloseLeaks' ./provider
	WSSTACK_SOAK=100000 $(GO) test -count=1 -timeout 30m -v -run 'OpenCloseLeaks|FailedConnectLeaks' ./provider

idle: ## 100,000 idle connections with keep-alive: memory beside gonet's, and probes when they are due
	WSSTACK_IDLE=100000 $(GO) test -count=1 -timeout 30m -v -run Idle ./bench

collect: ## all tests, with the garbage collector after every few allocations: it closes what a test drops
	$(GO) test -count=1 -exec "env GOGC=1" ./...

determinism: ## 1,000 runs of the same seed give the same segments
	WSSTACK_DETERMINISM_RUNS=1000 $(GO) test -count=1 -timeout 30m -run Determin ./simnet
	WSSTACK_RUNS=1000 $(GO) test -count=1 -timeout 30m -run Determin ./internal/conform ./internal/script/play

bubbles: ## 1,000 runs of a busy program in bubbles take the same virtual time, with the race detector
	WSSTACK_BUBBLE_RUNS=1000 $(GO) test -race -count=1 -timeout 2h -run BubbleRuns ./simnet

scale: ## an hour of keep-alive probes of 1,000 connections of 100 hosts, in virtual time and in a bubble
	WSSTACK_SCALE=1 $(GO) test -count=1 -timeout 10m -v -run ManyConnections ./simnet

bulk: ## ten minutes of data both ways against the kernel, compared by SHA-256
	WSSTACK_REQUIRE_TUN=1 WSSTACK_BULK=10m $(GO) test -count=1 -timeout 20m -v -run BulkForAWhile ./integration

wgbulk: ## 1 GiB each way through tunnels between namespaces, with loss and reordering, compared by SHA-256
	WSSTACK_REQUIRE_TUN=1 WSSTACK_WG_BYTES=1073741824 $(GO) test -count=1 -timeout 2h -v -run 'TunnelTransfer|TunnelEightStreams' ./integration

wgsoak: ## an hour of connections through a tunnel whose ends and peers come and go
	WSSTACK_REQUIRE_TUN=1 WSSTACK_WG_SOAK=1h $(GO) test -count=1 -timeout 2h -v -run TunnelSoak ./integration

cover: ## coverage of all packages by all tests, in cover.out
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -1

lint: ## golangci-lint, pinned, with .golangci.yml; a minute
	.ci/lint

verify: lint ## formatting, go.mod, lint, and the tests, which compare the generated files
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) test ./...
