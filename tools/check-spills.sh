#!/bin/sh
# Disassembles the x86-64 register tiles and fails if one keeps a vector register on the stack: a spill in the k loop halves its
# speed and no test of results would see it. CXX overrides the compiler.
set -eu
cd "$(dirname "$0")/.."

flags='-std=c++20 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math'
object=$(mktemp)
trap 'rm -f "$object"' EXIT

for isa in avx2 avx512; do
  "${CXX:-g++}" $flags -c "native/kernels/isa/$isa.cc" -o "$object"
  objdump -d -C --no-show-raw-insn "$object" | awk -v isa="$isa" '
    /^[0-9a-f]+ </ { name = $0; tile = name ~ /(multiply|weight|conv)_tile/; tiles += tile }
    tile && /[yz]mm/ && /\(%r[sb]p\)/ { spills[name]++ }
    END {
      for (name in spills) { print isa ": " spills[name] " spills in " name; bad = 1 }
      if (!tiles) { print isa ": no tile found"; bad = 1 }
      if (!bad) print "ok   " isa ": " tiles " tiles without a spill"
      exit bad
    }'
done
