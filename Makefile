# The two commands: make demo (the main job on a fresh machine), make test (rings 1 to 3). make e2e is ring 4.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X github.com/hostlerhq/hostler/cmd.version=$(VERSION)
LINT     = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
RUN      = .
SUM      = $(GO) run ./internal/testsum

.PHONY: all build install-links demo test unit script integration race e2e bench docs lint fmt fuzz prepare clean

all: build

# A pure Go binary without cgo: one file that runs on any Linux of its architecture.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/hostler ./cmd/hostler

# Links under the names of Ansible's programs: make install-links DIR=~/bin
install-links: build
	./bin/hostler links $(DIR)

demo: build
	./bin/hostler demo

# Rings 1 to 3. Each prints its own count; testsum prints the sum of all and fails when one did.
test: prepare
	@rm -f .test-results
	-$(MAKE) -k --no-print-directory unit script integration
	@$(SUM) -total .test-results -runs 3

unit:
	$(GO) test -json ./... 2>&1 | $(SUM) -name unit -append .test-results

script:
	$(GO) test -json -tags script ./cmd/... 2>&1 | $(SUM) -name script -run Script -append .test-results

integration:
	$(GO) test -json -tags integration -timeout 60m ./integration/... ./jinja/... 2>&1 | $(SUM) -name integration -append .test-results

# Whole Debian machines under QEMU; wants root, and some minutes and gigabytes for their disks the first time.
e2e:
	@./integration/prepare
	@./integration/prepare e2e
	{ $(GO) test -json -tags e2e -timeout 90m -run '$(RUN)' ./integration/e2e/; \
	  $(GO) test -json -tags 'e2e integration' -timeout 30m -run 'TestWhole/$(RUN)' ./integration/; } 2>&1 | $(SUM) -name e2e -logs

race:
	$(GO) test -race -json ./... 2>&1 | $(SUM) -name race

# Debian packages that the integration ring drives; says which are missing where it may not install them.
prepare:
	@./integration/prepare

bench:
	$(GO) run ./bench

docs: build
	./bin/hostler doc --write docs/modules

lint:
	$(GO) run $(LINT) run ./...

fmt:
	$(GO) run $(LINT) fmt ./...

clean:
	rm -rf bin .test-results
