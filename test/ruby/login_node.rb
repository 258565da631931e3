# frozen_string_literal: true

# A login node for the commands by which owners say what is to become of their services: a home, and Slurm's commands as
# a test wants them. A test has `told(*argv, **env)`, which runs a command as OWNER.
module LoginNode
  OWNER = 2001

  # What unshare says where no gateway asks anybody.
  KNOWN = 'Whoever has its address, key or password by now can go on using it while it runs. To shut them out, ' \
          "end it and start it anew; a database needs another password, too.\n"

  SAY = 'printf "%s\n" "${0##*/} $*" >>"$dir/said"'
  # As squeue lists it then.
  CANCEL = <<~SH.freeze
    #{SAY}
    for id; do
      case $id in
        *']') id=$(printf %s "${id%]}" | sed 's/\\[/\\\\[/')
              sed -i "s/^\\($id[]%][^;]*;[^;]*;\\)[A-Z]*/\\1CANCELLED/" "$dir/jobs" ;;
        [0-9]*) sed -i "s/^\\($id;[^;]*;\\)[A-Z]*/\\1COMPLETING/; s/^\\(${id}_[^;]*;[^;]*;\\)[A-Z]*/\\1CANCELLED/" "$dir/jobs" ;;
      esac
    done
  SH

  def setup
    super
    need_root
    @home = File.join(temporary, 'home')
    @bin = File.join(temporary, 'bin')
    [@home, @bin].each { |dir| Dir.mkdir(dir) && File.chmod(0o777, dir) }
    @clusters = File.join(temporary, 'clusters.yml')
    clusters('hpc')
    jobs({})
    command('scontrol', SAY)
    command('scancel', CANCEL)
    command('squeue', <<~SH)
      case "$*" in *" --user=2001 --states=all "*) ;; *) exit 3 ;; esac
      [ ! -e "$dir/broken" ] || { echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1; }
      for word; do case $word in --format=*) mark=$(printf %s "$word" | grep -o -m1 'mt[0-9a-f]*' | head -n 1) ;; esac; done
      sed "s/;/$mark/g" "$dir/jobs"
    SH
  end

  def command(name, body)
    File.write(File.join(@bin, name), "#!/bin/sh\ndir=${0%/*}\n#{body}\n", perm: 0o755)
  end

  def clusters(*names)
    all = names.to_h do |name|
      [name, { 'job' => { 'adapter' => 'slurm', 'cluster' => name, 'bin' => @bin } }]
    end
    File.write(@clusters, YAML.dump('v2' => all))
  end

  # @param all [Hash] name => state, job name and dependency
  def jobs(all)
    path = File.join(@bin, 'jobs')
    File.write(path, all.map do |id, (state, name, dependency)|
      "#{id};#{id.to_s[/\d+/]};#{state};#{dependency || '(null)'};#{name || 'sys'};\n"
    end.join)
    File.chmod(0o666, path)
  end

  def state(name = 'spanish@students', **chains)
    dir = File.join(@home, '.local/state/multitenant/services', name)
    FileUtils.mkdir_p(File.join(dir, 'chains'))
    chains.each do |number, files|
      FileUtils.mkdir_p(chain = File.join(dir, 'chains', number.to_s.delete('n')))
      files.each { |file, text| File.write(File.join(chain, file.to_s), "#{text}\n") }
    end
    FileUtils.chown_R(OWNER, OWNER, @home)
    FileUtils.chmod_R('go=', @home)
    dir
  end

  # @return [String, nil]
  def kept(file, name = 'spanish@students')
    path = File.join(@home, '.local/state/multitenant/services', name, file)
    File.read(path) if File.exist?(path)
  end

  def assert_told(out, *argv, **env)
    done = told(*argv, **env)
    assert_equal ['', out, 0], [done.err, done.out, done.code]
  end

  def assert_refused(code, sentence, *argv, **env)
    done = told(*argv, **env)
    assert_match(/\Amultitenant: #{sentence}.*\n\z/, done.err)
    assert_equal [code, ''], [done.code, done.out]
  end

  # @return [Array<String>] what Slurm's commands that change something were called with
  def said
    path = File.join(@bin, 'said')
    File.exist?(path) ? File.readlines(path, chomp: true) : []
  end
end
