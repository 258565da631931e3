# Of the test bed's image, in its root: what the box runs comes up, its slurmrestd answers, and it goes down when it is
# told to.
#   script/images run testbed bash test/images/testbed.sh
# shellcheck shell=bash
set -euo pipefail
script/images serve &
box=$!
for _ in {1..600}; do
  ! found=$(script/testbed env 2>/dev/null) || break
  kill -0 "$box"
  sleep 0.5
done
eval "$found"
script/testbed status
ruby -rnet/http -e '
  url, file = ENV.values_at("MULTITENANT_TESTBED_REST_HTTP", "MULTITENANT_TESTBED_REST_TOKEN")
  headers = { "X-SLURM-USER-NAME" => "backup", "X-SLURM-USER-TOKEN" => File.read(file).chomp }
  told = %w[42 38].map { |version| Net::HTTP.get_response(URI("#{url}/slurm/v0.0.#{version}/nodes"), headers) }
  told.any? { |one| one.code == "200" && one.body.include?("node2") } || abort("slurmrestd: #{told.map(&:body)}")'
kill "$box"
wait "$box"
[[ ! -e $MULTITENANT_TESTBED_DIR ]]
echo 'The box comes up with slurmrestd, and goes down.'
