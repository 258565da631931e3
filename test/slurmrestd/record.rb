# frozen_string_literal: true

# What a real slurmrestd answers to our questions about jobs of all kinds, and what the query program says of the same
# jobs, cut down to the members that count. As root:
#   script/testbed up --rest && eval "$(script/testbed env)" && ruby -Ilib test/slurmrestd/record.rb VERSION… >FILE
# VERSION: of the API, as 42.
require_relative '../slurm/bed'

# Asks as the source does.
class Recorder
  include Minitest::Assertions

  SOCKET = ENV.fetch('MULTITENANT_TESTBED_REST').delete_prefix('unix:')
  TOKEN = File.read(ENV.fetch('MULTITENANT_TESTBED_REST_TOKEN')).chomp
  LIST = 'jobs?wckey=multitenant%2C%2Amultitenant&state=RUNNING&skip_steps=true'
  NOT_OURS = 999_999

  MEMBERS = %w[
    meta slurm Slurm release cluster errors error error_number description
    jobs job_id user_id user name job_state start_time end_time time_limit restart_cnt nodes set infinite number
    clusters hostname address users administrator_level
  ].freeze
  WHOLE = %w[wckey array].freeze
  NAME = /"name":\s*("(?:[^"\\]|\\.)*")/nm

  # Of these the tests name some by their ids.
  FIRST = ['escapes', 'not UTF-8', 'UTF-8', 'the longest'].freeze
  FORGED = JSON.parse(File.read(File.join(Bed::ROOT, 'test/vectors/squeue_forged.json')))['vectors']

  def run(versions)
    @gone = Bed.running(Bed.submit('hpcfaculty'))
    ids = submit
    Bed.as('hpcfaculty', 'scancel', @gone)
    @suspended = Bed.running(Bed.submit('hpcfaculty'))
    system('scontrol', 'suspend', @suspended.to_s, exception: true)
    ids.each { |id| Bed.running(id) }
    Bed.wait('slurmdbd knows these alone') do
      `sacct -a -X -n -P -o jobidraw -s RUNNING`.split.map(&:to_i).sort == ids.sort
    end
    told = { 'slurm' => `scontrol --version`.split.last, 'records' => records }
    told['answers'] = versions.to_h { |version| [version, answers(version, ids)] }
    told['failures'] = versions.to_h { |version| [version, failures(version, ids[0])] }
    puts lines(told)
    $stdout.reopen($stderr) # for what Minitest says
  end

  # A record or an answer is a line.
  def lines(value, depth = 4)
    if value.is_a?(Hash) && depth.positive?
      "{\n#{value.map { |name, one| "#{JSON.generate(name)}: #{lines(one, depth - 1)}" }.join(",\n")}\n}"
    elsif value.is_a?(Array) && depth == 3
      "[\n#{value.map { |one| JSON.generate(one) }.join(",\n")}\n]"
    else
      JSON.generate(value)
    end
  end

  # @return [Array<Integer>] jobs that run, of all kinds
  def submit
    again, = Bed.share('hpcfaculty', '--requeue')
    Bed.as('hpcfaculty', 'scontrol', 'requeue', again)
    Bed.share('hpcdefault', '--time=10', wckey: nil)
    first, others = FORGED.partition { |vector| FIRST.include?(vector['label']) }
    first.each { |vector| named(vector) }
    Bed.submit('hpcfaculty', '--array=0-2')
    Bed.submit('hpcfaculty', script: "#!/bin/sh\n#SBATCH --ntasks=1\n#SBATCH hetjob\n#SBATCH --ntasks=1 " \
                                     "--wckey=multitenant\nexec sleep 600\n")
    others.each { |vector| named(vector) }
    Bed.wait('all run', 180) { Bed.squeue('%A %T', '--array').lines.grep(/RUNNING/).size == FORGED.size + 8 }
    Bed.squeue('%A', '--array').split.map(&:to_i) - [@gone]
  end

  def named(vector)
    name = vector['base64'] ? vector['base64'].unpack1('m0') : vector['name']
    name += name[-1] while name.bytesize < vector.fetch('fill', 0)
    Bed.rename('hpcfaculty2', Bed.running(Bed.submit('hpcfaculty2')), name)
  end

  def records
    program = File.join(Bed::OURS, 'lib/multitenant/multitenant-query')
    told = Bed.as('root', program, '--wckey', 'multitenant', '--timeout', 30).out
    told.lines.map { |line| JSON.parse(line).except('generated') }
  end

  def answers(version, ids)
    paths = [LIST, 'clusters', 'user/backup'].map { |rest| "/slurmdb/v0.0.#{version}/#{rest}" }
    paths += [*ids, @gone, @suspended, NOT_OURS].map { |id| "/slurm/v0.0.#{version}/job/#{id}?flags=LOCAL" }
    paths += %w[node1 node2].map { |name| "/slurm/v0.0.#{version}/node/#{name}" }
    paths.to_h { |path| [path[/[^?]+/], ask(path)] }.merge('unknown version' => ask("/slurmdb/v0.0.99/#{LIST}"))
  end

  # @return [Hash] what failed => what slurmdbd's and slurmctld's parts answered; null: as ever
  def failures(version, id)
    paths = ["/slurmdb/v0.0.#{version}/#{LIST}", "/slurm/v0.0.#{version}/job/#{id}?flags=LOCAL"]
    usual = paths.map { |path| ask(path) }
    both = ->(**how) { paths.map { |path| ask(path, **how) }.zip(usual).map { |now, told| now unless now == told } }
    short = token(1)
    sleep 3
    told = { 'expired' => both.call(token: short), 'forged' => both.call(token: "#{TOKEN[0...-6]}AAAAAA"),
             'of another user' => both.call(token: token(600, 'hpcstudent')), 'no token' => both.call(token: nil),
             'another key' => [ask(paths[0].gsub('multitenant', 'nobodys'))],
             'a query that is none' => [ask(paths[0].gsub('%2A', '*'))] }
    %w[slurmdbd slurmctld].each do |daemon|
      Bed.testbed('stop', daemon)
      told["#{daemon} is down"] = both.call
    ensure
      Bed.testbed('start', daemon)
    end
    told
  end

  def token(seconds, user = 'backup')
    `scontrol token username=#{user} lifespan=#{seconds}`.chomp.delete_prefix('SLURM_JWT=')
  end

  # @return [Array] status, type, body
  def ask(path, token: TOKEN)
    headers = token ? ['-H', 'X-SLURM-USER-NAME: backup', '-H', "X-SLURM-USER-TOKEN: #{token}"] : []
    curl = ['curl', '-s', '-i', '--unix-socket', SOCKET, *headers, "http://localhost#{path}"]
    out, = Open3.capture2(*curl, binmode: true)
    head, body = out.split("\r\n\r\n", 2)
    [Integer(head[/\AHTTP\S* (\d+)/, 1]), head[/^content-type: *([^\r\n]*)/i, 1], bytes(cut(body.to_s))]
  end

  # Names as they were written, byte for byte.
  def cut(body)
    names = []
    told = JSON.parse(body.gsub(NAME) { "\"name\":\"@#{names.push($LAST_MATCH_INFO[1]).size - 1}@\"" })
    JSON.generate(members(told)).b.gsub(/"@(\d+)@"/n) { names[$LAST_MATCH_INFO[1].to_i] }
  rescue JSON::ParserError
    body
  end

  def members(value, whole: false)
    case value
    when Hash
      value.select { |name, _| whole || [*MEMBERS, *WHOLE].include?(name) }
           .to_h { |name, one| [name, members(one, whole: whole || WHOLE.include?(name))] }
    when Array then value.map { |one| members(one, whole: whole) }
    else value
    end
  end

  def bytes(text)
    utf8 = text.dup.force_encoding(Encoding::UTF_8)
    utf8.valid_encoding? ? utf8 : { 'binary' => text.unpack('C*').pack('U*') }
  end
end

Recorder.new.run(ARGV.slice!(0..))
