# shellcheck shell=bash disable=SC1090,SC1091,SC2154
# What bash reads in a terminal of Jupyter's: what a login shell reads, and then what the job had once more. What start-up files
# set for the programs that the service is for would lead them elsewhere, or have the site's proxy read the service's key.
mt_theirs="^(${mt_families:-MT_})" mt_names=() mt_values=()
while read -r mt_name; do
  [[ $mt_name =~ $mt_theirs || ${mt_name,,} == no_proxy ]] || continue
  mt_names+=("$mt_name") mt_values+=("${!mt_name}")
done < <(compgen -e)
[[ ! -r /etc/profile ]] || . /etc/profile
for mt_name in ~/.bash_profile ~/.bash_login ~/.profile; do
  [[ ! -r $mt_name ]] || { . "$mt_name"; break; }
done
while read -r mt_name; do
  [[ ! $mt_name =~ $mt_theirs ]] || unset -v "$mt_name"
done < <(compgen -e)
for mt_name in "${!mt_names[@]}"; do export "${mt_names[mt_name]}=${mt_values[mt_name]}"; done
unset -v mt_theirs mt_name mt_names mt_values
