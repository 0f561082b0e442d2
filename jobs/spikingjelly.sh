# SpikingJelly, a peer, as a Python environment; sourced after setup.sh.

# install_spikingjelly FOLDER: into FOLDER/venv, what is said to FOLDER/log
install_spikingjelly() {
    [ ! -e "$1/venv/ready" ] || return 0
    say "installing torch and SpikingJelly"
    python3 -m venv "$1/venv" > "$1/log" 2>&1 &&
        "$1/venv/bin/pip" install -q torch numpy loguru requests tqdm packaging >> "$1/log" 2>&1 &&
        "$1/venv/bin/pip" install -q --no-deps spikingjelly==2.0.0 >> "$1/log" 2>&1 && touch "$1/venv/ready"
}
