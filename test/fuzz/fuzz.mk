# The fuzz targets, a part of ../c/Makefile. Each is a kind of input that others write: it runs from the kept corpus on.
#
#   make -C test/c fuzz                       all of them, each for SECONDS (5); -j2: two at once
#   make -C test/c fuzz-card SECONDS=3600     one, for an hour
#   make -C test/c fuzz-planted               whether each finds, in 20 s, the over-read that `plants` puts into its source
#
# What is found stays in build/c/fuzz/NOUN, and begins the next run; a crash is build/c/fuzz/NOUN-crash-….

NOUNS := $(patsubst $(FUZZ)/fuzz_%.c,%,$(wildcard $(FUZZ)/fuzz_*.c))
SECONDS ?= 5

FUZZ_BUILD ?= $(BUILD)/fuzz
FUZZ_CHECKS ?= -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CC := clang $(CPPFLAGS) -I$(FUZZ) -std=gnu11 $(WARN) -O1 -g $(FUZZ_CHECKS)
FUZZ_LIBS := -ljansson -lcrypto -lz -lmunge

# All but the binding, what is linked with libslurm, and files with a main: of those a target includes the file itself,
# as of others in which what it calls is static.
FUZZED := $(filter-out %/gate.c %/munge.c %/names.c %/seal.c $(BINDING) $(QUERY)/%,$(ANALYZED)) $(QUERY)/key_value.c
FUZZED_OBJECTS := $(FUZZED:../../ext/%.c=$(FUZZ_BUILD)/ext/%.o)

.PHONY: fuzz fuzz-planted $(NOUNS:%=fuzz-%) $(NOUNS:%=planted-%)

fuzz: $(NOUNS:%=fuzz-%)
fuzz-planted: $(NOUNS:%=planted-%)

$(FUZZ_BUILD)/ext/%.o: ../../ext/%.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ_BUILD)/ext.a: $(FUZZED_OBJECTS)
	rm -f $@
	ar qcs $@ $^

$(FUZZ_BUILD)/fuzz_%: $(FUZZ)/fuzz_%.c $(FUZZ_BUILD)/ext.a
	$(FUZZ_CC) -fsanitize=fuzzer -MMD -MP -o $@ $< $(FUZZ_BUILD)/ext.a $(FUZZ_LIBS)

-include $(wildcard $(FUZZ_BUILD)/*.d $(FUZZ_BUILD)/ext/*/*.d)

# The first directory takes new inputs; the kept corpus is only read.
$(NOUNS:%=fuzz-%): fuzz-%: $(FUZZ_BUILD)/fuzz_%
	@mkdir -p $(FUZZ_BUILD)/$*
	@$< -max_total_time=$(SECONDS) -max_len=20000 -artifact_prefix=$(FUZZ_BUILD)/$*- \
		$(FUZZ_BUILD)/$* $(FUZZ)/corpus/$* >$(FUZZ_BUILD)/$*.log 2>&1 || { cat $(FUZZ_BUILD)/$*.log; exit 1; }
	@echo "fuzz_$*: no finding in $$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' $(FUZZ_BUILD)/$*.log) runs"

$(NOUNS:%=planted-%): planted-%: $(FUZZ_BUILD)/ext.a
	@$(FUZZ)/planted $* $(FUZZ_BUILD) '$(FUZZ_LIBS)' $(FUZZ_CC)
