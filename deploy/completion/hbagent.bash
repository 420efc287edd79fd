# Bash completion of hbagent. Installed to share/bash-completion/completions/hbagent; or: source hbagent.bash
# shellcheck shell=bash

# Prints the plugins that the binary lists, one "kind name" a line. Arguments: the binary, then its --plugin-dir options.
_hbagent_list() {
  "$1" plugins "${@:2}" 2>/dev/null | awk '$1 ~ /^(source|processor|sink)$/ { print $1, $2 }'
}

# Prints what a plugin can be called on the command line. A name of one kind stands alone; `init` needs kind:name for
# one that is a source and a sink.
_hbagent_names() {
  local ambiguous=$1
  shift
  _hbagent_list "$@" | awk -v ambiguous="$ambiguous" '
    { kinds[$2] = kinds[$2] " " $1 }
    END {
      for (name in kinds) {
        count = split(kinds[name], each, " ")
        if (count == 1 || ambiguous == "allowed") print name
        if (count > 1) for (i = 1; i <= count; ++i) print each[i] ":" name
      }
    }'
}

# Completes with the files of one ending, or with any, and with folders.
_hbagent_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(
    case $2 in
      any) compgen -f -- "$1" ;;
      folders) compgen -d -- "$1" ;;
      *) compgen -d -- "$1"; compgen -f -X "!*.$2" -- "$1" ;;
    esac
  )
}

_hbagent_words() {
  mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

# Completes a plugin's name. Readline takes what is before a colon for a word of its own: it is left out of the answers.
_hbagent_plugins() {
  local current=$1 i
  _hbagent_words "$current" "$(_hbagent_names "${@:2}")"
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"${current%"${current##*:}"}"}; done
  fi
}

_hbagent() {
  local words=() folders=() command='' current previous i
  # Puts together what readline took apart: source:kafka and --config=FILE.
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    if ((i > 1)) && [[ ${COMP_WORDS[i]} == [:=]* || ${COMP_WORDS[i - 1]} == *[:=] ]]; then
      words[${#words[@]} - 1]+=${COMP_WORDS[i]}
    else
      words+=("${COMP_WORDS[i]}")
    fi
  done
  current=${words[-1]}
  previous=${words[-2]}
  for ((i = 1; i < ${#words[@]} - 1; ++i)); do
    case ${words[i]} in
      --plugin-dir) folders+=(--plugin-dir "${words[++i]/#\~/$HOME}") ;;
      --plugin-dir=*) folders+=("${words[i]}") ;;
      -c | --config | --log-format | --log-level | --reason | --source | --id | --postgres | --table | --wait | --since | \
        --until | --batch | --topic | --received-at | --key) ((++i)) ;;
      check | plugins | init | decode | journal | dlq | audit) [[ -n $command ]] || command=${words[i]} ;;
      info | verify | forget | repair) [[ $command != journal ]] || command="journal ${words[i]}" ;;
      list | show | replay) [[ $command != dlq ]] || command="dlq ${words[i]}" ;;
    esac
  done
  if [[ $current == --*=* ]]; then
    previous=${current%%=*}
    current=${current#*=}
  fi

  COMPREPLY=()
  case $previous in
    -c | --config) _hbagent_files "$current" toml && return ;;
    --plugin-dir) _hbagent_files "$current" folders && return ;;
    --log-format) _hbagent_words "$current" 'text json' && return ;;
    --log-level) _hbagent_words "$current" 'debug info warning error' && return ;;
    --batch) _hbagent_files "$current" any && return ;;
    --reason | --source | --id | --postgres | --table | --wait | --since | --until) return ;;
    --topic | --received-at | --key) return ;;
  esac
  local binary=${words[0]/#\~/$HOME}
  case $command in
    '') if [[ $current == -* ]]; then
        _hbagent_words "$current" '--config --plugin-dir --log-format --log-level --version --help'
      else
        _hbagent_words "$current" 'check plugins init decode journal dlq audit'
      fi ;;
    check) _hbagent_words "$current" '--config --connect --plugin-dir --help' ;;
    decode) if [[ $current == -* ]]; then
        _hbagent_words "$current" \
          '--config --topic --hex --retain --received-at --key --batch --plugin-dir --help'
      else
        _hbagent_files "$current" any
      fi ;;
    audit) _hbagent_words "$current" \
      '--config --json --postgres --generator --table --wait --since --until --all --plugin-dir --help' ;;
    journal) _hbagent_words "$current" 'info verify forget repair --help' ;;
    journal\ *) _hbagent_words "$current" '--config --plugin-dir --help' ;;
    dlq) _hbagent_words "$current" 'list show replay --help' ;;
    'dlq list') _hbagent_words "$current" '--config --plugin-dir --reason --source --json --help' ;;
    'dlq show') _hbagent_words "$current" '--config --plugin-dir --help' ;;
    'dlq replay') _hbagent_words "$current" '--config --plugin-dir --reason --source --id --help' ;;
    plugins) if [[ $current == -* ]]; then
        _hbagent_words "$current" '--markdown --plugin-dir --help'
      else
        _hbagent_plugins "$current" allowed "$binary" "${folders[@]}"
      fi ;;
    init) if [[ $current == -* ]]; then
        _hbagent_words "$current" '--plugin-dir --help'
      else
        _hbagent_plugins "$current" separate "$binary" "${folders[@]}"
      fi ;;
  esac
}

complete -F _hbagent hbagent
