#!/usr/bin/env bash
# Runs the server until it ends or TERM comes.
# shellcheck disable=SC2034,SC2154,SC2317 # before.sh exports; start_group calls functions by name

# With what the owner's start-up files say to a server of their own, those whom this one is shared with could run programs as
# the owner (LLAMA_ARG_TOOLS, a development server of vLLM's), and read files; or anybody could have vLLM write what it does to
# files, without the key. Modules of the site's may say so.
unset "${!LLAMA_@}" VLLM_SERVER_DEV_MODE VLLM_ALLOW_RUNTIME_LORA_UPDATING VLLM_ALLOW_INSECURE_SERIALIZATION \
  VLLM_TORCH_PROFILER_DIR VLLM_TORCH_CUDA_PROFILE
load_modules "$mt_modules" || exit 1

# vLLM and SGLang fetch pictures that a question names, and would log in there by what their owner has in ~/.netrc.
export NETRC=/dev/null

# On all addresses, as a node has several and OOD's name of it may stand for another than its tenants' routes; and of both
# families, so that nobody else can have the port on the other. Ollama takes 0.0.0.0 for both.
all=0.0.0.0
[[ -z $(cat /proc/net/if_inet6 2>/dev/null) || $(cat /proc/sys/net/ipv6/bindv6only) != 0 ]] || all=::
# Behind a gateway it is for the gateway alone.
ollama=0.0.0.0
[[ ${mt_guard-} != port ]] || port=$mt_server_port host=127.0.0.1 all=127.0.0.1 ollama=127.0.0.1
case $mt_kind in
  ollama)
    # Pages from elsewhere, in browsers on the cluster's network, have no business here, whatever the user exports.
    # Others may download into the same directory at this moment, which is why it doesn't prune.
    unset OLLAMA_ORIGINS
    export OLLAMA_HOST=$ollama:$port OLLAMA_MODELS=$mt_models OLLAMA_NOPRUNE=1 OLLAMA_KEEP_ALIVE=-1
    export OLLAMA_NUM_PARALLEL=$slots OLLAMA_CONTEXT_LENGTH=$context_size
    # With the key in its owner's home whoever reaches it would ask models of Ollama's makers on the owner's account, and change
    # what they have published there. The form may name such a model.
    [[ $model == *:*cloud ]] || export HOME=$PWD OLLAMA_NO_CLOUD=1 OLLAMA_REMOTES=none
    program=(ollama serve)
    ;;
  llamacpp)
    # The slots share the context. A thread of HTTP waits with each question, so that with few of them questions that wait
    # for a slot keep the server from answering anything.
    program=(llama-server --host "$all" --port "$port" --model "$mt_path" --alias "$model"
      --parallel "$slots" --ctx-size "$((slots * context_size))" --threads-http "$((slots + 256))"
      --threads "${SLURM_CPUS_PER_TASK:-1}" --api-key-file /dev/fd/3)
    ((mt_gpus == 0)) || program+=(--n-gpu-layers 999)
    exec 3< <(printf '%s\n' "$api_key")
    ;;
  vllm)
    export VLLM_API_KEY=$api_key
    [[ ! -w $mt_models || $mt_models == "$HOME" ]] || export HF_HOME=$mt_models
    program=(vllm serve "$mt_path" --host "$all" --port "$port" --served-model-name="$model")
    [[ -z $slots ]] || program+=(--max-num-seqs "$slots")
    [[ -z $context_size ]] || program+=(--max-model-len "$context_size")
    ((mt_gpus < 2)) || program+=(--tensor-parallel-size "$mt_gpus")
    ;;
  openai)
    # The text stays out of the process's arguments.
    # shellcheck disable=SC2016
    program=(bash -c 'eval "$mt_command"')
    ;;
esac
type -P "${program[0]}" >/dev/null ||
  refuse "This node has no ${program[0]} in PATH: see modules_$mt_kind in the app's site.yml."

# pull PID: Ollama downloads the model where it is missing. Progress comes many times a second: a line for each step and
# tenth is kept.
pull() {
  local line said='' state
  until curl_server --fail --max-time 10 --output /dev/null "$ollama_url/api/version"; do
    kill -0 "$1" 2>/dev/null || return
    sleep 1
  done
  ! has_model || return 0
  echo "The model $model is not in $mt_models yet: downloading..."
  # TMOUT of a start-up file would count here; of a large model Ollama says nothing for long while it looks at the sum.
  while IFS= read -rt 86400 line; do
    state=$line
    [[ ! $line =~ \"status\":\"([^\"]*)\" ]] || state=${BASH_REMATCH[1]}
    [[ ! $line =~ \"total\":([1-9][0-9]{0,16}).*\"completed\":([0-9]{1,16}) ]] ||
      state+=" $((BASH_REMATCH[2] * 10 / BASH_REMATCH[1]))0 %"
    [[ $state == "$said" ]] || echo "${state//[[:cntrl:]]/ }"
    said=$state
  done < <(curl_server --no-buffer --data "{\"model\":\"$model\"}" "$ollama_url/api/pull")
  has_model && return
  echo "The model $model could not be downloaded into $mt_models; nothing is shared." >&2
  return 1
}

# What is isolated can't download: another server does before, which nobody but users of this node reaches.
serve_isolated() {
  local server name=$model
  set +m
  [[ ${name##*/} == *:* ]] || name+=:latest
  case $name in
    */*/*) ;;
    */*) name=registry.ollama.ai/$name ;;
    *) name=registry.ollama.ai/library/$name ;;
  esac
  if [[ ! -e $mt_models/manifests/${name%:*}/${name##*:} ]]; then
    OLLAMA_HOST=$mt_download "${program[@]}" &
    server=$!
    mt_reach="--connect-to ::$mt_download" pull "$server" || {
      sockets 128A "${mt_download#*:}"
      # Another process has its port, then.
      kill -0 "$server" 2>/dev/null || ((${#SOCKETS[@]} == 0)) || exit "$PORT_TAKEN"
      exit 1
    }
    kill -TERM "$server"
    wait "$server"
  fi
  isolate "${program[@]}"
}

if [[ $mt_kind == ollama && ${mt_guard-} == socket ]]; then start_group serve_isolated; else start_group "${program[@]}"; fi
if [[ $mt_kind == ollama ]]; then
  pull "$GROUP" &
  await_end $! || { ! kill -0 "$GROUP" 2>/dev/null || { end_group; exit 1; }; }
fi
await_end "$GROUP"
code=$?
echo "${program[0]} has ended, with code $code." >&2
end_group
exit "$((code ? code : 1))"
