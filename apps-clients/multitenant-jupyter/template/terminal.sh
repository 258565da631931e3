# shellcheck shell=bash disable=SC1090,SC1091,SC2154
# What bash reads in a terminal of Jupyter's: what a login shell reads, and then what the job had once more. What start-up files
# set for the programs that the service is for would lead them elsewhere, or have the site's proxy read the service's key. Some
# bashes have read /etc/bash.bashrc by now: what the job had is what this process began with. Hosts that start-up files have met
# without a proxy still are.
mt_theirs="^(${mt_families:-MT_})"
[[ ! -r /etc/profile ]] || . /etc/profile
for mt_name in ~/.bash_profile ~/.bash_login ~/.profile; do
  [[ ! -r $mt_name ]] || { . "$mt_name"; break; }
done
while read -r mt_name; do
  [[ ! $mt_name =~ $mt_theirs ]] || unset -v "$mt_name"
done < <(compgen -e)
mapfile -t -d '' mt_had <"/proc/$$/environ"
for mt_value in "${mt_had[@]}"; do
  mt_name=${mt_value%%=*}
  [[ ${mt_name,,} != no_proxy || ${!mt_name-} == "${mt_value#*=}" ]] || mt_value+=${!mt_name:+,${!mt_name}}
  [[ ! $mt_name =~ $mt_theirs && ${mt_name,,} != no_proxy ]] || export "$mt_name=${mt_value#*=}"
done
unset -v mt_theirs mt_name mt_value mt_had
