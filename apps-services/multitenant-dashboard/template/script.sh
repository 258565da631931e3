#!/usr/bin/env bash
# Runs the application until it ends or TERM comes.

# shellcheck disable=SC2034,SC2154 # exported by before.sh

load_modules "$mt_modules" || exit 1

# Behind a gateway the application is for the gateway alone.
export listen=0.0.0.0
[[ ${mt_guard-} != port ]] || port=$mt_server_port host=127.0.0.1 listen=127.0.0.1

# shellcheck disable=SC2154
case $mt_kind in
  shiny)
    program=(Rscript -e 'shiny::runApp(Sys.getenv("app_path"), host = Sys.getenv("listen"),
      port = as.integer(Sys.getenv("port")), launch.browser = FALSE)')
    ;;
  streamlit)
    # The proxy calls this host by another name than the browser does, which Streamlit would refuse.
    program=(streamlit run --server.address="$listen" --server.port="$port" --server.baseUrlPath="$base_path"
      --server.headless=true --server.enableCORS=false --server.enableXsrfProtection=false
      --browser.gatherUsageStats=false "$app_path")
    ;;
  python)
    # Dash knows these; others are told by their names. Below CONDA_PREFIX it would listen on 127.0.0.1 all the same.
    unset CONDA_PREFIX
    export HOST=$listen PORT=$port DASH_REQUESTS_PATHNAME_PREFIX=$base_path/ PYTHONUNBUFFERED=1
    program=(python3 "$app_path")
    ;;
  command)
    # The text stays out of the process's arguments.
    # shellcheck disable=SC2016
    program=(bash -c 'eval "$mt_command"')
    ;;
  *) refuse "There is no kind of application called $mt_kind." ;;
esac

# shellcheck disable=SC2154
if [[ $mt_kind != command || -n $app_path ]]; then
  [[ $app_path == /* ]] || refuse "The path of the application must begin with /; it is: $app_path"
  [[ -r $app_path ]] || refuse "There is nothing at $app_path that could be read on this node."
  [[ $mt_kind != @(streamlit|python) || -f $app_path ]] || refuse "$app_path is not a file: choose the one to run."
fi
type -P "${program[0]}" >/dev/null ||
  refuse "This node has no ${program[0]} in PATH: see modules_$mt_kind in the app's site.yml."

directory=${app_path:-$HOME}
[[ -d $directory ]] || directory=$(dirname -- "$directory")
cd -- "$directory" 2>/dev/null || cd / || exit 1

[[ ${mt_guard-} != socket ]] || program=(isolate "${program[@]}")
start_group "${program[@]}"
await_end "$GROUP"
code=$?
echo "The application has ended, with code $code." >&2
end_group
exit "$code"
