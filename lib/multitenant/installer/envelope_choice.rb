# frozen_string_literal: true

require 'etc'

module MultiTenant
  # How service apps seal what they share on a site without old readers: by munge, where a member of a group opens here
  # what is sealed for the group, since munged may not know a directory's groups; else by the groups' keys. What a local
  # group proves is true of local groups alone, so that one of a directory's is tried beside it.
  class EnvelopeChoice
    SECONDS = '5'
    KEYS = 'Service apps seal by key, and share nothing with a group before it has one: run `multitenant key new ' \
           'GROUP` on one host alone, copy its file to the others, and see "Envelopes that protect" in doc/admins.md.'
    ELSEWHERE = 'Service apps seal by munge, or where a node has none by key. Whether members of groups can open ' \
                'that was not tried, as this is not the host itself: see `multitenant doctor` there.'

    FAR = ' Whether munged here has the key of the nodes\' was not tried, as Slurm is asked on another host: ' \
          '`munge -n | ssh NODE unmunge` says Success where it has.'

    # munged reads the groups at its start, and later only once /etc/group has changed.
    LATER = ' Of later changes in a directory\'s groups munged learns only where it is started with ' \
            '--group-check-mtime=0, here and on the nodes: see "Envelopes that protect" in doc/admins.md.'

    # @return [String] for the apps' site.yml
    attr_reader :envelope
    # @return [String] sentences for the admin
    attr_reader :told

    # @param host [Host]
    # @param gid [Integer, nil] the group to try first
    def initialize(host, gid)
      @options = [("--socket=#{host.munge_socket}" if host.munge_socket)].compact
      @far = far?(host)
      @envelope, @told = host.root.empty? ? choose(gid) : ['auto', ELSEWHERE]
    end

    private

    # Only on its own host is slurmrestd asked otherwise than by https.
    def far?(host)
      targets = host.clusters.targets
      only = host.settings.slurmrestd if targets.one?
      targets.all? do |target|
        rest = target.slurmrestd ? target.slurmrestd['slurmrestd'] : only
        target.over_ssh? || target.wrapped? || rest.to_s.start_with?('https:')
      end
    end

    def choose(gid)
      why = obstacle(gid)
      return ['key', "#{why} #{KEYS}"] if why

      told = "Service apps seal by munge: #{@tried} opened what was sealed for the group."
      ['munge', "#{told}#{FAR if @far}#{LATER if @directory}"]
    end

    # @return [String, nil] why munge does not do, in a sentence
    def obstacle(gid)
      tries = tries(gid)
      return 'No group of this host has a member with whom munge could be tried.' if tries.empty?

      group = entry(:getgrgid, gid) if gid
      if group && !local?(group) && tries.none? { |one, _| !local?(one) }
        return "No member of #{group.name} is listed here, with whom munge could be tried."
      end

      why = tries.lazy.filter_map { |one, user| failure(one, user) }.first
      @tried = tries.map { |one, user| member(one, user) }.join(' and ')
      @directory = tries.any? { |one, _| !local?(one) }
      why
    end

    # @return [String, nil] a sentence where the user can't open what is sealed for the group
    def failure(group, user)
      sealed, made = IO.pipe
      return 'munge makes no credential here.' unless
        run('munge', '--no-input', "--restrict-gid=#{group.gid}", *@options, out: made)

      made.close
      return if run('setpriv', "--reuid=#{user.uid}", "--regid=#{user.gid}", '--clear-groups', 'unmunge', *@options,
                    in: sealed)

      "#{member(group, user)} can't open what munge sealed for the group."
    end

    def member(group, user)
      "#{user.name}, a member of #{group.name},"
    end

    # @return [Array] a group of people, and one of a directory's, each with a member whose primary group is another
    def tries(first)
      group, user = pairs(first).first
      return [] unless group
      return [[group, user]] unless local?(group)

      more = groups_of(user).map { |one| [one, user] }.each + pairs(first)
      [[group, user], *more.lazy.reject { |one, _| local?(one) }.first(1)]
    end

    def pairs(first)
      others = Etc.enum_for(:group).lazy.select { |group| group.gid >= 1000 }
      groups = [(entry(:getgrgid, first) if first)].compact.each + others
      groups.lazy.flat_map { |group| group.mem.lazy.map { |name| [group, entry(:getpwnam, name)] } }
            .select { |group, user| user && user.gid != group.gid && user.uid.positive? }
    end

    # Some directories tell the groups of a user and not the users of a group.
    def groups_of(user)
      gids = IO.popen(['id', '-G', '--', user.name], err: File::NULL, &:read).split.map(&:to_i)
      (gids - [user.gid]).select { |gid| gid >= 1000 }.filter_map { |gid| entry(:getgrgid, gid) }
    end

    def local?(group)
      @local ||= File.binread('/etc/group').lines.to_h { |line| [line[/\A[^:]*/], true] }
      @local.key?(group.name.b)
    end

    # @return [Etc::Group, Etc::Passwd, nil] nil: the name service does not know it
    def entry(look_up, key)
      Etc.public_send(look_up, key)
    rescue ArgumentError
      nil
    end

    # A member can trace what runs as them. So it gets nothing of root's: no terminal, environment or directory, and no
    # pipe for whose end root would wait.
    def run(*argv, **files)
      system({ 'PATH' => ENV.fetch('PATH', nil) }, 'timeout', '--signal=KILL', SECONDS, 'setsid', *argv,
             in: File::NULL, out: File::NULL, err: File::NULL, **files, unsetenv_others: true, chdir: '/')
    end
  end
end
