#!/usr/bin/env bash
# A SLURM of one node on this machine: munge, slurmctld, slurmd, all files in one folder. Needs root and Debian's packages.
#   slurm.sh install        slurm-wlm and munge
#   slurm.sh start FOLDER   then: export SLURM_CONF=FOLDER/slurm.conf
#   slurm.sh stop FOLDER    ends what start has started, and nothing else
set -euo pipefail

install() {
    command -v slurmctld slurmd munged sbatch > /dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

configure() {
    local cpus memory
    cpus=$(slurmd -C | sed -n 's/.*CPUs=\([0-9]*\).*/\1/p')
    memory=$(slurmd -C | sed -n 's/.*RealMemory=\([0-9]*\).*/\1/p')
    # no cgroups: a container may not make them
    cat > "$1/slurm.conf" <<CONF
ClusterName=repro
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=17817
SlurmdPort=17818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$1/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=5,bf_interval=5
ReturnToService=2
KillWait=60
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd.log
SlurmdParameters=config_overrides
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    echo "CgroupPlugin=cgroup/v1" > "$1/cgroup.conf"
}

start() {
    mkdir -p "$1/state" "$1/spool" "$1/munge"
    chmod 755 "$1" "$1/munge"
    head -c 1024 /dev/urandom > "$1/munge/key"
    chmod 400 "$1/munge/key"
    chown -R munge: "$1/munge"
    configure "$1"
    runuser -u munge -- munged --key-file="$1/munge/key" --socket="$1/munge/socket" --pid-file="$1/munge/pid" \
        --log-file="$1/munge/log" --seed-file="$1/munge/seed"
    slurmctld -f "$1/slurm.conf"
    slurmd -f "$1/slurm.conf"
    export SLURM_CONF="$1/slurm.conf"
    for _ in $(seq 60); do
        [ "$(sinfo -h -o %t 2> /dev/null)" = idle ] && return
        sleep 1
    done
    echo "the node did not come up:" >&2
    tail -n 20 "$1"/slurm*.log >&2
    return 1
}

stop() {
    export SLURM_CONF="$1/slurm.conf"
    timeout 20 scancel --user=root --signal=KILL --full 2> /dev/null || true
    timeout 20 scancel --user=root 2> /dev/null || true
    # slurmd must live until the last step has ended: nobody else ends it
    for _ in $(seq 60); do
        [ -n "$(timeout 20 squeue --noheader 2> /dev/null)" ] || break
        sleep 0.5
    done
    for name in slurmd slurmctld munge/pid; do
        file="$1/$name"
        [ "$name" = munge/pid ] || file="$1/$name.pid"
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2> /dev/null || true
        for _ in $(seq 50); do kill -0 "$pid" 2> /dev/null || break; sleep 0.2; done
        kill -KILL "$pid" 2> /dev/null || true
    done
}

"$@"
