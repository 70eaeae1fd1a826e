# Everything a contributor does, by one word. "make" alone lists the targets.
# A target installs or builds what it needs, and says what it does.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
LAB := e2e/lab/lab
# Found when a recipe runs, so that a JDK which "deps" has just installed counts.
JDK := JAVA_HOME="$$(e2e/tools/jdk.sh)"
MVN := $(JDK) mvn -B --no-transfer-progress $(ARGS)
PATH_OF_CACHE := $(or $(PAIRVM_CACHE),$(HOME)/.cache/pairvm)

.DEFAULT_GOAL := help
.PHONY: help
help: ## this list
	@echo "usage: make TARGET [VARIABLE=value]"; echo
	@awk -F ':.*## ' '/^##@/ {print "\n" substr($$0, 5)} /^[a-z][a-z0-9-]*:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Start
.PHONY: quickstart deps
quickstart: image-tools ## from nothing to a protected machine whose host dies, on a cluster on this machine (as root)
	$(JDK) e2e/quickstart/quickstart.sh
deps: ## install what a fresh Debian machine lacks, build the lab's binaries
	e2e/tools/deps.sh

##@ Build and check
.PHONY: ready image-tools build check fmt clean
ready:
	@e2e/tools/jdk.sh > /dev/null && command -v mvn > /dev/null && command -v go > /dev/null || $(MAKE) deps
# What makes images and guests without a container engine.
image-tools: ready
	@command -v mmdebstrap > /dev/null || $(MAKE) deps
build: ready ## compile and package all modules, without tests
	@echo "packaging all modules"
	$(MVN) -q package -DskipTests
check: ready ## format, compiler warnings as errors, null safety: what must hold before review
	@echo "checking format, Error Prone, NullAway in all modules"
	$(MVN) -q spotless:check test-compile
	cd e2e/tools && test -z "$$(gofmt -l cmd)" && CGO_ENABLED=0 go vet ./...
	@for f in $$(git ls-files '*.sh' e2e/lab/lab .ci/run); do bash -n $$f || exit 1; done
fmt: ready ## format all sources
	$(MVN) -q spotless:apply
	cd e2e/tools && gofmt -w cmd
clean: ## remove what builds made in this folder (not ~/.cache/pairvm)
	find . -name target -type d -not -path './.git/*' -prune -exec rm -rf {} +

##@ Test
.PHONY: test test-fast judges test-tools test-lab e2e sim model ram-truth bench soak tools
tools:
	@$(LAB) tools
test: test-fast test-lab e2e ## every test, then the scenarios on the lab
test-fast: ready judges tools test-tools ## every test that needs no cluster (a real API server is started where one is needed)
	@echo "running the tests of all modules"
	$(MVN) verify --fail-at-end
# The clients, checkers and databases that judge the mirror: tests fail where they are missing.
judges:
	@e2e/tools/deps.sh --have || $(MAKE) deps
test-tools: ready
	@echo "running the tests of the lab's own programs"
	cd e2e/tools && CGO_ENABLED=0 go test ./...
test-lab: ## the lab's own test: pods, networks, volumes, kill, cut, and that nothing is left
	$(LAB) selftest
e2e: image-tools ## scenarios with real guests: [SCENARIO=HostLossL2|every] [CLUSTER=lab|kind|existing] [KUBECONFIG=...] [ARGS=-D...]
	$(JDK) e2e/scenarios.sh $(or $(CLUSTER),lab) $(or $(SCENARIO),all)
sim: ready ## the pair protocol in the simulator: [SEEDS=5000] [FROM=1]
	$(JDK) mvn -B -q -pl mirror-sidecar -am test -Dtest=SimulationTest -Dsurefire.failIfNoSpecifiedTests=false -Dsim.seeds=$(or $(SEEDS),5000) -Dsim.from=$(or $(FROM),1) $(ARGS)
model: ready ## the pair protocol under the model checker at full bounds, with the mutations that it must catch
	$(JDK) mvn -B -q -pl mirror-sidecar -am test -Dtest='*Model*' -Dmodel.full=true -Dsurefire.failIfNoSpecifiedTests=false $(ARGS)
ram-truth: image-tools ## a Linux guest's memory and its twin's, page by page at the first checkpoints: [STARTS=50] [CPUS=1]
	e2e/guest/build.sh
	$(JDK) mvn -B -q -pl mirror-sidecar -am test -Dtest=RamTruthTest -Dsurefire.failIfNoSpecifiedTests=false -Dram.starts=$(or $(STARTS),50) -Dram.processors=$(or $(CPUS),1) -Dram.image=$(PATH_OF_CACHE)/images/guest.img $(ARGS)
bench: image-tools ## measure beside others: SHAPE=disk|footprint|resync|kills|ft [ARGS=...]
	@[ -n "$(SHAPE)" ] || { echo "SHAPE is missing: make bench SHAPE=disk, footprint, resync, kills or ft" >&2; exit 1; }
	$(JDK) e2e/bench/bench.sh $(SHAPE) $(ARGS)
soak: image-tools ## kill a pair of mirrors in every way under a guest that remembers what was acknowledged: [MINUTES=10] [ARGS="--seed N"]
	$(JDK) e2e/bench/bench.sh soak --minutes $(or $(MINUTES),10) $(ARGS)

##@ The lab: a real cluster of three nodes on this machine
.PHONY: lab-up lab-down lab-status lab-kill-node lab-start-node lab-cut lab-heal lab-images
lab-up: ## start or repair the cluster
	$(LAB) up
lab-down: ## end it; nothing is left running [WIPE=1: nor disks, objects, certificates]
	$(LAB) down $(if $(WIPE),--wipe)
lab-status: ## what runs
	@$(LAB) status
lab-kill-node: ## a host dies: N=n1
	@$(LAB) kill-node $(N)
lab-start-node: ## and boots again: N=n1
	@$(LAB) start-node $(N)
lab-cut: ## cut a cable: N=n1 NETWORK=pod|lan|mirror|api|peers
	@$(LAB) cut $(N) $(NETWORK)
lab-heal: ## and mend it: N=n1 NETWORK=...
	@$(LAB) heal $(N) $(NETWORK)
lab-images: image-tools ## build PairVM's images and test guest, load them into the nodes, install the chart
	$(JDK) e2e/images/build.sh
	e2e/guest/build.sh
	$(LAB) load-image $(PATH_OF_CACHE)/images/{operator,mirror,qemu}.tar
	e2e/lab/install-chart.sh
