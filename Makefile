# Everything here is a shorthand: the program and its tests need nothing but Go.
#
#   go run ./cmd/ordergate serve --sandbox
#   go test ./...

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE   ?= ordergate:$(VERSION)

# Boots the real servers, and sets what the tests need to know of them.
with_servers = settings=$$(test/servers/up) && eval "$$settings" &&

.DEFAULT_GOAL := help

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/ordergate, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ordergate ./cmd/ordergate

.PHONY: sandbox
sandbox: ## run the gateway with a built-in stand-in for Odoo
	go run ./cmd/ordergate serve --sandbox

.PHONY: test
test: ## run the tests that need no server
	go test ./...

.PHONY: test-all
test-all: ## run every test, against real servers (as root on Debian)
	$(with_servers) ORDERGATE_TEST_REQUIRE=all go test -count=1 -timeout 25m ./...

.PHONY: race
race: ## run the tests that need no server with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./...

.PHONY: ci
ci: ## run what decides about a change (as root on Debian)
	.ci/run

.PHONY: lint
lint: ## check format, vet, staticcheck, generated code and file sizes
	.ci/lint

.PHONY: generate
generate: ## renew the code that is generated from gateway/openapi.yaml
	go generate ./gateway

SEEDS ?= 200

.PHONY: faults
faults: ## make SEEDS fault runs, and print the tables of docs/reliability.md (as root on Debian)
	$(with_servers) go run ./test/faults/cmd -seeds $(SEEDS) -markdown
	$(with_servers) go run ./test/faults/cmd -guards

.PHONY: bench
bench: ## measure the gateway against raw calls to a fresh Odoo of two workers (as root on Debian)
	$(with_servers) { ODOO_WORKERS=2 test/servers/odoo-up 19 reset >/dev/null && go run ./test/bench; \
		status=$$?; ODOO_WORKERS=0 test/servers/odoo-up 19 >/dev/null; exit $$status; }

.PHONY: servers-up
servers-up: ## boot MySQL, MariaDB, Odoo 14 and 19, and print the settings for tests
	@test/servers/up

.PHONY: servers-stop
servers-stop: ## stop these servers
	test/servers/up stop

.PHONY: image
image: ## build the container image
	docker build --build-arg VERSION=$(VERSION) --tag $(IMAGE) .

.PHONY: clean
clean: ## remove what was built
	rm -rf bin ordergate
