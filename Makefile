# SPDX-License-Identifier: GPL-2.0-only
#
# Builds, installs and tests xmap; `make help` says how.  All output goes below build/.  The kernel
# reads Kbuild and never this file.

VERSION := 0.1.0

O := $(abspath build)
DESTDIR ?=
prefix ?= /usr/local
docdir ?= $(prefix)/share/doc/xmap
udevdir ?= /usr/lib/udev/rules.d
modulesloaddir ?= /usr/lib/modules-load.d
INSTALL ?= install
export DESTDIR prefix INSTALL

deps := scripts/deps
# What it calls the headers for these kernels, where they are not those of the distribution.
headers = $(patsubst %,module-%,$(filter 6.12 6.12-rt,$(1)))
run_vm := selftests/vm/run

# The kernel of the virtual machines, and what runs in them.
KERNEL ?= 6.12
KERNELS ?= 6.1 6.12 6.12-rt
TESTS ?= *
CMD ?=
DURATION ?= 600
MUTANTS ?=

# The kernel that the module is built for: the running one, else the newest that has headers here.
newest_headers = $(lastword $(shell ls -d /lib/modules/*/build 2>/dev/null | grep -v -e -rt- | sort -V))
KDIR ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(newest_headers))
# What uname -r says there; Debian's kernel.release and `make kernelrelease` name the upstream version.
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	'$(KDIR)/include/generated/utsrelease.h' 2>/dev/null)
mirror = $(O)/$(release)
module = $(mirror)/xmap.ko

all: module lib tools

# Kbuild writes beside the sources, so it is shown a tree of links to them, one for each kernel. Two
# that build for the same kernel at a time take turns.
module:
	@$(if $(release),,echo >&2 "no kernel headers in '$(KDIR)': run 'sudo apt-get install \
		linux-headers-amd64', or say make KDIR=/path/to/headers"; exit 1)
	@$(deps) check module
	@mkdir -p '$(mirror)'
	@flock '$(mirror)/.lock' cp -Rsf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/include '$(mirror)'
	+flock '$(mirror)/.lock' $(MAKE) -C '$(KDIR)' M='$(mirror)' modules

# One module for a kernel named as the virtual machines name it.
module-%:
	@$(deps) check vm module $(call headers,$*)
	@rel=$$($(run_vm) --release --kernel '$*') && \
		$(MAKE) --no-print-directory module KDIR=/lib/modules/$$rel/build

# Kernels of our own, built once and kept in the user's cache; and the module for them.
kernel-debug kernel-kcsan: kernel-%:
	@$(deps) check kernel
	@selftests/kernel/build '$*' >/dev/null

module-debug module-kcsan: module-%: kernel-%
	@kernel=$$(selftests/kernel/build --where '$*') && \
		$(MAKE) --no-print-directory module KDIR="$$kernel/headers"

lib:
	@$(deps) check user
	$(MAKE) -C lib O='$(O)' all

tools: lib
	@$(deps) check user
	$(MAKE) -C tools O='$(O)' all

selftests: lib tools
	@$(deps) check user unit selftests
	$(MAKE) -C lib O='$(O)' tests
	$(MAKE) -C selftests O='$(O)' all

bench-build:
	@$(deps) check user
	$(MAKE) -C selftests/bench O='$(O)' all

# Installing

install: all install-module
	$(MAKE) -C lib O='$(O)' install
	$(MAKE) -C tools O='$(O)' install
	$(INSTALL) -D -m 644 packaging/60-xmap.rules '$(DESTDIR)$(udevdir)/60-xmap.rules'
	$(INSTALL) -D -m 644 packaging/modules-load.conf '$(DESTDIR)$(modulesloaddir)/xmap.conf'
	$(INSTALL) -D -m 644 packaging/modprobe.conf '$(DESTDIR)$(docdir)/modprobe.conf'
	@$(if $(DESTDIR),,! [ -e /run/udev/control ] || udevadm control --reload)

install-module: module
	$(INSTALL) -D -m 644 '$(module)' '$(DESTDIR)/lib/modules/$(release)/updates/xmap.ko'
	$(if $(DESTDIR),,PATH="$$PATH:/sbin:/usr/sbin" depmod '$(release)')

uninstall:
	$(MAKE) -C lib O='$(O)' uninstall
	$(MAKE) -C tools O='$(O)' uninstall
	rm -f '$(DESTDIR)$(udevdir)/60-xmap.rules' '$(DESTDIR)$(modulesloaddir)/xmap.conf' \
		'$(DESTDIR)$(docdir)/modprobe.conf' '$(DESTDIR)/lib/modules/$(release)/updates/xmap.ko'
	$(if $(DESTDIR),,PATH="$$PATH:/sbin:/usr/sbin" depmod '$(release)')

# With DKMS the module follows every new kernel by itself.
dkms:
	@$(deps) check module dkms
	rm -rf '/usr/src/xmap-$(VERSION)'
	$(INSTALL) -d '/usr/src/xmap-$(VERSION)'
	cp -R Kbuild dkms.conf module include LICENSES '/usr/src/xmap-$(VERSION)'
	dkms install --force -m xmap -v $(VERSION)$(if $(release), -k '$(release)')

# Testing

vm: module-$(KERNEL) tools
	@$(run_vm) --kernel '$(KERNEL)' $(if $(value CMD),-- '$(subst ','\'',$(value CMD))')

check:
	@$(deps) install user module unit abi fuzz selftests vm demo $(call headers,$(KERNELS))
	@$(MAKE) --no-print-directory $(KERNELS:%=module-%) selftests
	@scripts/check --tests '$(TESTS)' --host lib tools abi --kernels $(KERNELS)

# The same on the debug kernel, with injected faults; the model of the protocol; and which lines of
# the module all that has executed.
check-debug:
	@$(deps) install user module unit selftests vm kernel model
	@$(MAKE) --no-print-directory module-debug selftests
	@rm -rf '$(O)/coverage'
	@scripts/check --tests '$(TESTS)' --host model --kernels debug
	@$(if $(filter *,$(TESTS)),selftests/coverage)

check-kcsan:
	@$(deps) install user module unit selftests vm kernel
	@$(MAKE) --no-print-directory module-kcsan selftests
	@scripts/check --tests '$(TESTS)' --kernels kcsan

check-model:
	@$(deps) check model
	@scripts/check --host model

coverage:
	@selftests/coverage --missing

# For as long as one likes; DURATION is in seconds.
fuzz stress: KERNEL = debug
fuzz stress:
	@$(deps) install user module unit selftests vm kernel
	@$(MAKE) --no-print-directory module-$(KERNEL) selftests
	@scripts/check --tests 'xmap_$@_test' --seconds $(DURATION) --kernels $(KERNEL)

# Does the rig see it when the module is broken on purpose?
mutants:
	@$(deps) install user module $(call headers,6.12 6.12-rt) unit selftests vm
	@$(MAKE) --no-print-directory module-6.12 selftests
	@selftests/mutants/run $(MUTANTS:%=--only %)

# Are the interfaces what they were? scripts/abi --update accepts what they are now.
check-abi: lib
	@$(deps) check abi
	$(MAKE) -C lib O='$(O)' check-abi
	@scripts/abi

check-lib:
	@$(deps) check user unit
	$(MAKE) -C lib O='$(O)' check

check-vm: $(KERNELS:%=module-%) selftests
	@$(deps) check vm
	@scripts/check --tests '$(TESTS)' --kernels $(KERNELS)

demo:
	@$(deps) install user module demo $(if $(NATIVE),,vm $(call headers,$(KERNEL)))
	@$(MAKE) --no-print-directory $(if $(NATIVE),module,module-$(KERNEL)) lib tools
	@$(if $(NATIVE),scripts/native '$(module)' tools/demo/demo,\
		$(run_vm) --quiet --kernel '$(KERNEL)' -- tools/demo/demo)

bench: module-$(KERNEL) lib bench-build
	@mkdir -p '$(O)/vm-out'
	@$(run_vm) --kernel '$(KERNEL)' --timeout 1800 -- \
		selftests/bench/run --output '$(O)/vm-out/bench-$(KERNEL).json'
	@mv '$(O)/vm-out/bench-$(KERNEL).json' '$(O)/bench-$(KERNEL).json'
	@echo "figures: build/bench-$(KERNEL).json"

lint:
	@$(deps) check user module lint
	@scripts/lint

clean:
	rm -rf '$(O)'

help:
	@echo "make                 the module (for KDIR=$(KDIR)), the library and the tools"
	@echo "make demo            watch a program being looked into and changed, in a virtual machine"
	@echo "                     (NATIVE=1: on this machine, whose kernel then loads the module)"
	@echo "make check           everything that should pass: unit tests, then all selftests in"
	@echo "                     virtual machines with the kernels of KERNELS='$(KERNELS)'"
	@echo "make check-lib       the library's unit tests; need no module"
	@echo "make check-vm        the selftests that match TESTS='$(TESTS)', e.g. TESTS='xmap_abi*'"
	@echo "make check-debug     all selftests on a kernel that checks itself (built once, 10 to 40"
	@echo "                     minutes), with injected faults, the model, and the lines covered"
	@echo "make check-kcsan     all selftests on a kernel that looks for data races"
	@echo "make check-abi       compare the interfaces with their descriptions in abi/"
	@echo "make check-model     prove the window protocol's model"
	@echo "make fuzz            random calls on the debug kernel for DURATION=$(DURATION) seconds"
	@echo "make stress          random loads on the debug kernel for DURATION=$(DURATION) seconds"
	@echo "make mutants         break the module on purpose, see each time that a test fails"
	@echo "make coverage        the module's lines that the last check-debug did not execute"
	@echo "make vm              a shell in a virtual machine with KERNEL=$(KERNEL) (6.1, 6.12, 6.12-rt, debug);"
	@echo "                     CMD='...' runs one command there instead"
	@echo "make bench           figures next to the alternatives: build/bench-$(KERNEL).json"
	@echo "make lint            checkpatch, sparse, kernel-doc, shellcheck, man pages, licences"
	@echo "make install         DESTDIR, prefix=$(prefix); uninstall takes it away again"
	@echo "make dkms            have DKMS build the module for this and every later kernel"
	@echo "make clean           remove build/"

.PHONY: all module kernel-debug kernel-kcsan module-debug module-kcsan lib tools selftests bench-build \
	install install-module uninstall dkms vm check check-debug check-kcsan check-model check-abi check-lib \
	check-vm coverage fuzz stress mutants demo bench lint clean help
