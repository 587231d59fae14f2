# Every target sets up what is missing; `make help` lists them.
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
EXERCISES := $(notdir $(wildcard solutions/*))
CLASS := _build/class

.DEFAULT_GOAL := help
.PHONY: help course book pdf class test matrix lab qualify release grade bench scoreboard clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

course: book class  ## build the book, release the exercises, grade a small simulated class
	@echo "The book:       _build/html/index.html"
	@echo "The exercises:  exercises/            (make lab opens them)"
	@echo "The gradebook:  $(CLASS)/gradebook.db"
	@echo "The feedback:   $(CLASS)/feedback/half-right/recurrence/recurrence.html"

book: .venv/.set-up  ## execute and build the website into _build/html
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 jupyter-book build book --config _config.yml --path-output . -W -n --keep-going

pdf: .venv/.set-up book  ## the whole book as one PDF (_build/html/book.pdf, linked from its front page)
	@python book/pdf.py _build/html

class: .venv/.set-up  ## the simulated class alone: release, hand in, grade, feedback (in _build/class)
	@rm -rf $(CLASS) && mkdir -p $(CLASS)
	@cp -R solutions nbgrader_config.py $(CLASS)
	@cd $(CLASS) && for e in $(EXERCISES); do echo "Releasing $$e"; nbgrader generate_assignment $$e --log-level=ERROR; done
	@diff -rq $(CLASS)/exercises exercises || echo "exercises/ is not what solutions/ make: your own answers, or time for 'make release'"
	@python -m rnncourse.check.simulated $(CLASS)/exercises $(CLASS)/submitted
	@cd $(CLASS) && python -m rnncourse grade recurrence --feedback --unsafe  # these students are our own

test: .venv/.set-up book  ## everything that CI runs
	@ruff check . && ruff format --check .
	@pytest -n 2 --dist loadfile

matrix: .venv/.set-up  ## every listed mistake and right way, tried on every exercise
	@python -m rnncourse.check.matrix solutions exercises

lab: .venv/.set-up  ## JupyterLab on the exercises
	@jupyter lab --config=lab_config.py

qualify: .venv/.set-up  ## does each test judge alike in one process and in two, as it is graded? (a few minutes)
	@python -m rnncourse qualify $(or $(ASSIGNMENT),$(EXERCISES))

release: qualify  ## solutions/ -> exercises/ (replaced), recorded in the course's own gradebook
	@for e in $(EXERCISES); do nbgrader generate_assignment $$e; done

grade: .venv/.set-up  ## grade submitted/ (make grade ASSIGNMENT=recurrence)
	@python -m rnncourse grade $(or $(ASSIGNMENT),recurrence) --feedback

bench: .venv/.set-up  ## our cells against PyTorch's (3 minutes), our grader against nbgrader's (40), a cluster against local processes (3); into benchmarks/
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.cells
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.chapters
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.grading
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.cluster

scoreboard: .venv/.set-up  ## train every network that the scoreboard compares (some hours; into scoreboard/results)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m scoreboard $(TASKS)

clean:  ## remove what make built, except .venv
	@rm -rf _build .pytest_cache .ruff_cache

.venv/.set-up: requirements.txt pyproject.toml setup.sh
	@./setup.sh
