#!/usr/bin/env bash
# One run on several machines under SLURM: sbatch experiments/cluster/job.sh model=llama_7b context=x4 ...
# What it is told to take is for eight GPUs a machine; correct it on the command line of sbatch: --nodes=2 --gpus-per-node=4
#SBATCH --job-name=position-interpolation
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

# A requeued job is the same command, so it goes on from the newest checkpoint.
machines=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${machines%%$'\n'*}  # no pipe into head: it closes early, and pipefail would end the job
srun python -m torch.distributed.run \
    --nnodes "$SLURM_NNODES" --nproc-per-node "${SLURM_GPUS_ON_NODE:-8}" \
    --rdzv-backend c10d --rdzv-endpoint "$first:29500" --rdzv-id "$SLURM_JOB_ID" \
    -m position_interpolation "$@"
