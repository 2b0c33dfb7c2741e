# `make run` and `make test` do all of their own set-up. The work is in build/setup/goal.sh.
.PHONY: run test setup build lint bench bench-window performance screenshots package help
.DEFAULT_GOAL := help

run: ## set up what is missing and start the app (without a display: the server)
test: ## set up what is missing and run every test
setup: ## set up everything, tests' needs included
build: ## build the programs into build/bin
lint: ## check formats, types and shell scripts
bench: ## measure the gateway against a direct connection (BENCH_ARGS=-quick for a short run)
bench-window: ## measure how soon the window shows its page (BENCH_ARGS=-benchtime=50x for more starts)
performance: ## measure everything that docs/PERFORMANCE.md tells, and write it there
screenshots: ## take the pictures of README and docs anew
package: ## make an archive of release binaries in build/artifacts

run test setup build lint bench bench-window performance screenshots package:
	@bash build/setup/goal.sh $@

help: ## show this
	@sed -n 's/^\([a-z-]*\): ## /  make \1	/p' Makefile
