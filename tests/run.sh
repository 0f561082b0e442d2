#!/bin/sh
# Everything that is tested: a release build with warnings as errors and a build with the address and undefined-behaviour
# sanitizers, CTest in both. Installs what is missing (as quickstart.sh does).
#
#   sh tests/run.sh [CTEST_ARGUMENT...]     for example: sh tests/run.sh -L unit
set -eu
cd "$(dirname "$0")/.."
. jobs/setup.sh

# shellcheck disable=SC2086
install_packages $packages g++ libcmocka-dev valgrind mandoc iproute2 \
    slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge libpmix2
mkdir -p out build
if fetch_model; then
    STAC_SMOLLM2_GGUF=$PWD/$model_file
    export STAC_SMOLLM2_GGUF
else
    echo "the SmolLM2 model could not be fetched: its tests are skipped"
fi
say "building: release, warnings are errors"
build build/release -DSTAC_WERROR=ON -DBUILD_TESTING=ON
say "building: sanitizers"
build build/sanitized -DSTAC_WERROR=ON -DBUILD_TESTING=ON -DSTAC_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
failed=0
say "testing: release"
ctest --test-dir build/release -j 2 --output-on-failure "$@" || failed=1
say "testing: sanitizers"
ctest --test-dir build/sanitized -j 2 --output-on-failure "$@" || failed=1
exit $failed
