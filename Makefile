# Wellhead's build: one non-recursive makefile. `make help` lists the targets.
#
# Knobs: V=1 (show commands)  SAN=asan|tsan|fuzz|coverage  CC= CXX=  WERROR=0  TEST=<part of a test's path>
#        BOOTSTRAP=host:port (integration tests against another broker)  FUZZ_SECONDS=30
#
# Objects are in build/<variant>/, so that variants coexist.

SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

CC := gcc
CXX := g++
# ccache reuses objects, also those that another clone has compiled.
CCACHE := $(if $(CCACHE_DISABLE),,$(shell command -v ccache 2>/dev/null))
export CCACHE_NOHASHDIR := 1
WERROR ?= 1
SAN ?=
VARIANT := $(if $(SAN),$(SAN),$(if $(filter clang%,$(CC)),clang,release))
B := build/$(VARIANT)
Q := $(if $(V),,@)
PREFIX ?= /usr/local
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

PKGS := rdkafka libcurl libmicrohttpd libuv sqlite3 openssl libconfig libxxhash zlib rocksdb simdjson libpcre2-8 libutf8proc cmocka avro-c
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS) 2>/dev/null))

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wvla -Walloca \
	-Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith -Wswitch-enum -Wnull-dereference \
	-Wdouble-promotion $(if $(filter 1,$(WERROR)),-Werror)
WARN_C := -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
ifeq ($(filter clang%,$(CC))$(filter fuzz,$(SAN)),)
WARN_C += -Wcast-align=strict -Wlogical-op -Wduplicated-cond -Wduplicated-branches \
	-Wformat-overflow=2 -Wformat-truncation=2 -Wimplicit-fallthrough=5 -Wstack-usage=16384
endif
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE -fno-common
LDHARDEN := -pie -Wl,-z,relro,-z,now
OPT := -O2 -g
ifeq ($(SAN),)
HARDEN += -D_FORTIFY_SOURCE=2 $(if $(filter clang%,$(CC)),,-ftrivial-auto-var-init=zero)
else ifeq ($(SAN),asan)
# Half the time of -O2 -g to build, and a report still names the line.
OPT := -O1 -g1
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
WARN_C += -Wno-stack-usage -Wno-null-dereference -Wno-maybe-uninitialized -Wno-format-truncation -Wno-format-overflow
else ifeq ($(SAN),tsan)
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
WARN_C += -Wno-stack-usage -Wno-null-dereference
else ifeq ($(SAN),coverage)
# Counts executed lines, atomically, because the tests use threads.
OPT := -Og -g
SANFLAGS := --coverage -fprofile-update=atomic
# Only the optimised build enables the warnings that need data flow analysis.
WARN_C += -w
else ifeq ($(SAN),fuzz)
CC := clang
CXX := clang++
SANFLAGS := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
endif

CPPFLAGS := -D_GNU_SOURCE -I. $(PKG_CFLAGS) -MMD -MP
CFLAGS := -std=c17 $(OPT) $(WARN) $(WARN_C) $(HARDEN) $(SANFLAGS)
CXXFLAGS := -std=c++17 $(OPT) -Wall -Wextra -fno-exceptions -fno-rtti $(HARDEN) $(SANFLAGS)
LDFLAGS := $(LDHARDEN) $(SANFLAGS) $(if $(filter tsan,$(SAN)),-rdynamic)
LDLIBS := -lrdkafka -lavro -lcurl -lmicrohttpd -luv -lsqlite3 -lcrypto -lconfig -lxxhash -lz \
	-lrocksdb -lsimdjson -lpcre2-8 -lutf8proc -lcmark-gfm-extensions -lcmark-gfm -lcctz -lcsv -lstdc++ -lm -lpthread

# librdkafka allocates each record in one thread and frees it in another, which costs the C
# library's heap a sixth of the mapper's CPU. The sanitizers have heaps of their own.
HEAP_mapper := $(if $(SAN),,-lmimalloc)
$(B)/stages/mapper/main.c.o: CPPFLAGS += $(if $(HEAP_mapper),-DWH_MIMALLOC)

STAGES := fetcher webhook-intake mapper sink
COMMON_SRC := $(sort $(wildcard common/*/*.c common/*/*.cpp common/*/*.S))
obj = $(patsubst %,$(B)/%.o,$(1))
COMMON_LIB := $(B)/libwellhead.a
# Under TSan librdkafka must find these threads instead of glibc's (see the file).
TSAN_THREADS := $(if $(filter tsan,$(SAN)),$(call obj,tests/lib/tsan/c11_threads.c))
BINS := $(foreach s,$(STAGES),$(if $(wildcard stages/$(s)/main.c),$(B)/bin/wellhead-$(s))) \
	$(if $(wildcard cli/main.c),$(B)/bin/wellhead) \
	$(if $(wildcard tests/gitlab/main.c),$(B)/bin/wellhead-gitlab) $(B)/bin/wellhead-lag

.PHONY: all
all: $(BINS) ## build the four stages, the command line and the GitLab stand-in

$(B)/%.c.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CCACHE) $(CC) $(CPPFLAGS) $(CFLAGS) $(DEFINES) -c $< -o $@

$(B)/%.cpp.o: %.cpp
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CXX  $<")
	$(Q)$(CCACHE) $(CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

$(B)/%.S.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -MMD -MP -c $< -o $@

# One file contains the version, and is recompiled only when the version changes.
$(B)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@
.PHONY: FORCE
$(B)/common/base/build_version.c.o: DEFINES := -DWH_VERSION='"$(VERSION)"'
$(B)/cli/commands/table.c.o: DEFINES := -DWH_SQLITE_VERSION='"$(shell pkg-config --modversion sqlite3)"'
$(B)/common/base/build_version.c.o: $(B)/version

# Files that the assembler embeds with .incbin.
$(B)/stages/mapper/view/views.S.o: $(wildcard schemas/views/*.json)
$(B)/stages/sink/page/files.S.o: $(wildcard stages/sink/page/templates/* stages/sink/page/assets/*)
$(B)/stages/sink/measures/measures.S.o: schemas/measures.json
$(B)/stages/sink/questions/forms.S.o: schemas/questions.json
$(B)/stages/sink/sql/document_views.S.o: stages/sink/sql/document_views.sql
$(B)/common/avro/texts.S.o: $(wildcard schemas/*.avsc)

$(COMMON_LIB): $(call obj,$(COMMON_SRC))
	$(Q)rm -f $@ && ar rcs $@ $^

# A stage's core (all but main.c) is an archive too, so that tests can link it.
define stage_rules
STAGE_SRC_$(1) := $$(filter-out stages/$(1)/main.c,$$(sort $$(wildcard stages/$(1)/*.c stages/$(1)/*.S stages/$(1)/*/*.c stages/$(1)/*/*/*.c stages/$(1)/*/*.cpp stages/$(1)/*/*.S)))
$$(B)/libstage-$(1).a: $$(call obj,$$(STAGE_SRC_$(1)))
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
$$(B)/bin/wellhead-$(1): $$(B)/stages/$(1)/main.c.o $$(TSAN_THREADS) $$(B)/libstage-$(1).a $$(COMMON_LIB)
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	$$(Q)$$(CXX) $$(LDFLAGS) -o $$@ $$^ $$(HEAP_$(1)) $$(LDLIBS)
endef
$(foreach s,$(STAGES),$(eval $(call stage_rules,$(s))))

# All but main.c is an archive, as for the stages.
CLI_SRC := $(filter-out cli/main.c,$(sort $(wildcard cli/*.c cli/*/*.c)))
CLI_LIB := $(B)/libcli.a
$(CLI_LIB): $(call obj,$(CLI_SRC))
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/bin/wellhead: $(B)/cli/main.c.o $(TSAN_THREADS) $(CLI_LIB) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)

GITLAB_SRC := $(sort $(wildcard tests/gitlab/*.c))
$(B)/bin/wellhead-gitlab: $(call obj,$(GITLAB_SRC)) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/bin/wellhead-lag: $(call obj,tests/lag/main.c) $(TSAN_THREADS) $(COMMON_LIB)
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- tests: one program per tests/{unit,stage,fault}/**/test_*.c ----

TEST_LIB_SRC := $(sort $(wildcard tests/lib/*.c))
TEST_LIB := $(B)/libtest.a
$(TEST_LIB): $(call obj,$(TEST_LIB_SRC))
	$(Q)rm -f $@ && ar rcs $@ $^

# These tests of the fetcher replace the loop and run the GitLab stand-in in their own process.
GOLDEN_LIB := $(B)/libgolden.a
$(GOLDEN_LIB): $(call obj,$(sort $(wildcard tests/golden/*.c)) $(filter-out tests/gitlab/main.c,$(GITLAB_SRC)))
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/tests/stage/test_fetcher_golden $(B)/tests/stage/test_fetcher_idle: $(GOLDEN_LIB)

TEST_SRC := $(sort $(shell find tests/unit tests/stage tests/fault tests/broker -name 'test_*.c' 2>/dev/null))
TEST_BIN := $(patsubst %.c,$(B)/%,$(TEST_SRC))
STAGE_LIBS := $(foreach s,$(STAGES),$(B)/libstage-$(s).a) $(CLI_LIB)

$(TEST_BIN): $(B)/%: $(B)/%.c.o $(TSAN_THREADS) $(TEST_LIB) $(STAGE_LIBS) $(COMMON_LIB)
	@echo "  LD   $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $< $(TSAN_THREADS) -Wl,--start-group $(if $(findstring stage/test_fetcher_,$@),$(GOLDEN_LIB)) $(TEST_LIB) $(STAGE_LIBS) $(COMMON_LIB) -Wl,--end-group -lcmocka $(LDLIBS)

PICKED := $(if $(TEST),$(foreach t,$(TEST_BIN),$(if $(findstring $(TEST),$(t)),$(t))),$(TEST_BIN))

.PHONY: unit
unit: $(PICKED) ## build and run the unit, stage, fault and broker tests (TEST= picks some)
	@scripts/run-tests $(B) $(PICKED)

# ---- coverage: lines of the product that the tests execute, by room ----

COVERAGE_MIN ?= 85
.PHONY: coverage
coverage: ## lines that the programs of `make unit` execute, by room; fails below COVERAGE_MIN (85) %
	@scripts/install-deps build test coverage
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=coverage coverage-run

.PHONY: coverage-run
coverage-run: all $(TEST_BIN)
	@find $(B) -name '*.gcda' -delete
	@scripts/run-tests $(B) $(TEST_BIN)
	@scripts/coverage $(B) $(COVERAGE_MIN)

# ---- fuzzers: libFuzzer where SAN=fuzz, else a plain program that replays the corpus ----

FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAY := $(patsubst tests/fuzz/%.c,$(B)/fuzz/replay_%,$(FUZZ_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
FUZZ_LIBS = -Wl,--start-group $(TEST_LIB) $(STAGE_LIBS) $(COMMON_LIB) -Wl,--end-group -lcmocka $(LDLIBS)

$(FUZZ_REPLAY): $(B)/fuzz/replay_%: $(B)/tests/fuzz/%.c.o $(B)/tests/fuzz/replay.c.o $(TEST_LIB) $(STAGE_LIBS) $(COMMON_LIB)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $< $(B)/tests/fuzz/replay.c.o $(FUZZ_LIBS)

$(FUZZ_BIN): $(B)/fuzz/%: $(B)/tests/fuzz/%.c.o $(TEST_LIB) $(STAGE_LIBS) $(COMMON_LIB)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_LIBS)

.PHONY: fuzz-replay
fuzz-replay: $(FUZZ_REPLAY) ## run the fuzzers' corpora once
	@scripts/fuzz-replay $(FUZZ_REPLAY)

.PHONY: fuzz
fuzz: ## fuzz each parser for FUZZ_SECONDS (30)
	@scripts/install-deps build test fuzz
	@$(MAKE) --no-print-directory SAN=fuzz fuzz-run

.PHONY: fuzz-run
fuzz-run: $(FUZZ_BIN)
	@scripts/fuzz-run "$(FUZZ_SECONDS)" $(FUZZ_BIN)

# ---- targets for users ----

FUZZ_SECONDS ?= 30
JOBS := $(shell nproc)

.PHONY: up
up: ## start the whole pipeline (GITLAB_URL= GITLAB_TOKEN_FILE= for a real GitLab)
	@scripts/install-deps build kafka
	@echo "building"
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@scripts/up

.PHONY: down
down: ## stop what `make up` started; keeps the state
	@scripts/down

.PHONY: clean-state
clean-state: down ## delete the state: topics, store, secrets
	rm -rf $${STATE:-run} wellhead

.PHONY: test
test: ## every suite: unit, stage, fault, fuzz corpus, integration; ends with one line of totals
	@scripts/test

.PHONY: test-asan
test-asan: ## unit, stage and fault tests under ASan and UBSan
	@scripts/install-deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=asan unit

.PHONY: test-tsan
test-tsan: ## the threaded parts under TSan, then the real programs
	@scripts/install-deps build kafka test
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=tsan tsan-run
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=tsan tsan-stages

TSAN_TESTS := common/loop common/log common/metrics common/httpd common/httpc common/store unit/lib stages/sink tests/stage \
	tests/broker
TSAN_SET := suppressions=$(CURDIR)/tests/supp/tsan.supp ignore_noninstrumented_modules=1 halt_on_error=1
.PHONY: tsan-run
tsan-run: $(foreach t,$(TSAN_TESTS),$(foreach b,$(TEST_BIN),$(if $(findstring /$(t)/,$(b)),$(b))))
	@TEST_TIMEOUT=600 TSAN_OPTIONS="$(TSAN_SET)" scripts/run-tests $(B) $^

# Only the real programs run the sink's threads and the fetcher's pool work together.
TSAN_SCENARIOS := first_sync live two_fetchers disconnect
TSAN_REPORT := $(CURDIR)/$(B)/report
.PHONY: tsan-stages
tsan-stages: all
	@rm -f $(TSAN_REPORT).*
	@TSAN_OPTIONS="$(TSAN_SET) log_path=$(TSAN_REPORT)" BIN=$(B)/bin tests/integration/run $(TSAN_SCENARIOS); \
		code=$$?; if cat $(TSAN_REPORT).* 2>/dev/null; then exit 1; fi; exit $$code

.PHONY: integration
integration: all ## the four binaries against a real Kafka and the stand-in
	@scripts/install-deps build kafka test
	@BIN=$(B)/bin tests/integration/run

.PHONY: test-rows
test-rows: all ## PostgreSQL filled from the topics of rows by Flink SQL, every row compared
	@scripts/install-deps build kafka test rows
	@BIN=$(B)/bin tests/rows/run

.PHONY: test-compose
test-compose: ## the compose files on a container engine: make test-compose COMPOSE="docker compose"
	@scripts/install-deps test
	@scripts/test-compose "$(or $(COMPOSE),docker compose)"

.PHONY: lint
lint: ## format, clang-tidy, cppcheck and the gates in scripts/lint
	@scripts/install-deps build test lint
	@scripts/lint/all

BENCH_BIN := $(B)/bin/bench-fill $(B)/bin/bench-mapper $(B)/bin/bench-sink $(B)/bin/bench-sql $(B)/bin/bench-reads $(B)/bin/bench-impact $(B)/bin/bench-search
$(B)/bin/bench-fill: $(call obj,tests/bench/fill_raw.c tests/bench/body.c tests/bench/mixed.c) $(COMMON_LIB)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/bin/bench-mapper: $(call obj,tests/bench/bench_mapper.c tests/bench/body.c tests/bench/mixed.c) $(B)/libstage-mapper.a $(COMMON_LIB)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(HEAP_mapper) $(LDLIBS)
$(B)/bin/bench-sink: $(call obj,tests/bench/bench_sink.c tests/bench/body.c) $(B)/libstage-sink.a $(COMMON_LIB)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/bin/bench-sql: $(call obj,tests/bench/bench_sql.c tests/bench/body.c) $(B)/libstage-sink.a $(COMMON_LIB)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/bin/bench-reads: $(call obj,tests/bench/bench_reads.c) $(B)/libstage-sink.a $(COMMON_LIB)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/bin/bench-impact: $(call obj,tests/bench/bench_impact.c tests/bench/body.c) $(B)/libstage-sink.a $(COMMON_LIB)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/bin/bench-search: $(call obj,tests/bench/bench_search.c tests/bench/body.c) $(B)/libstage-sink.a $(COMMON_LIB)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- the official MCP suite against the fetcher's own modules and the sink's /mcp ----

$(B)/bin/conformance-client: $(call obj,tests/conformance/client.c) $(B)/libstage-fetcher.a $(COMMON_LIB)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/bin/conformance-server: $(call obj,tests/conformance/server.c) $(TEST_LIB) $(STAGE_LIBS) $(COMMON_LIB)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIB) $(STAGE_LIBS) $(COMMON_LIB) -Wl,--end-group -lcmocka $(LDLIBS)

.PHONY: test-conformance
test-conformance: $(B)/bin/conformance-client $(B)/bin/conformance-server ## the official MCP suite against the fetcher's client and the sink's server
	@scripts/install-deps build conformance
	@tests/conformance/run client $(B)/bin/conformance-client
	@tests/conformance/run server $(B)/bin/conformance-server

.PHONY: bench-programs
bench-programs: all $(BENCH_BIN)

.PHONY: bench
bench: ## figures and ratios of each stage, one run
	@scripts/install-deps build kafka test bench
	@$(MAKE) --no-print-directory -j$(JOBS) bench-programs
	@tests/bench/run

.PHONY: screenshots
screenshots: all ## pictures of every page, light and dark, wide and narrow, in docs/pages
	@scripts/install-deps kafka browser
	@rm -f docs/pages/*.webp
	@SCREENSHOTS=docs/pages tests/integration/run browse

.PHONY: install
install: all ## copy the programs, the manual and completions to $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(filter-out %wellhead-gitlab %wellhead-lag,$(BINS)) $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(B)/bin/wellhead help man > $(DESTDIR)$(PREFIX)/share/man/man1/wellhead.1
	$(B)/bin/wellhead completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/wellhead
	$(B)/bin/wellhead completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_wellhead

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-16s %s\n", $$1, $$2}'

-include $(shell find $(B) -name '*.d' 2>/dev/null)
