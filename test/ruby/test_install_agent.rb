# frozen_string_literal: true

require_relative 'site'

# The agent's account and unit, on a host of the test's, in mounts of its own: /etc and /opt are a site's over this
# machine's, /var is the site's, and systemd is a program that notes what it was asked.
class TestInstallAgent < InstallTest
  MOUNTS = <<~SHELL
    mount -t tmpfs none "$1"
    mkdir "$1/etc" "$1/opt"
    # What else changes this machine's accounts meanwhile has its locks there: by these they are not seen.
    for name in passwd group shadow gshadow subuid subgid; do mknod "$1/etc/$name.lock" c 0 0; done
    for dir in etc opt; do
      mkdir "$1/$dir.work"
      mount -t overlay -o "lowerdir=$2/$dir:/$dir,upperdir=$1/$dir,workdir=$1/$dir.work" none "/$dir"
    done
    mount --bind "$2/var" /var
    mount -t tmpfs none /run
    mkdir -p /run/bin
    cat >/run/bin/systemctl
    chmod 755 /run/bin/systemctl
    export PATH=/run/bin:$PATH
    multitenant() { echo "== $*"; "$RUBY" -I "$LIB" "$EXE" "$@" 2>&1 || echo "code $?"; }
  SHELL
  SYSTEMCTL = <<~'SHELL'
    #!/bin/sh
    case "$*" in
      *is-enabled*|*is-active*) test -e /run/on; exit ;;
      *enable\ --now*) grep -q User=mtagent /etc/systemd/system/multitenant-agent.service && touch /run/on ;;
      *disable*) test -e /etc/systemd/system/multitenant-agent.service || { echo 'Unit file does not exist.'; exit 1; }
        rm /run/on ;;
      *stop*) rm /run/on ;;
    esac
    echo "systemctl $*"  >>/run/asked
  SHELL
  # What Slurm shows the account; who asks, and what they may do.
  JOBS = <<~'SHELL'
    #!/bin/sh
    test "$1" = jobs && grep -q "^CapEff:.*0000000000000000" /proc/self/status && test "$(id -G)" = "$(id -g)" || exit 1
    test "$(id -un)" = mtagent && printf '{"multitenant":1,"sees":"%s"}\n{"end":0}\n' "$(cat /etc/sees)"
  SHELL

  def host(script, sees: 'all')
    site.write("#{Site::HOMES[Site::RPM]}/bin/multitenant", JOBS, mode: 0o755)
    site.write('/etc/sees', sees)
    env = { 'RUBY' => RbConfig.ruby, 'LIB' => Tree.lib, 'EXE' => File.join(Tree::ROOT, 'exe/multitenant') }
    FileUtils.mkdir_p(scratch = File.join(temporary, 'scratch'))
    done = run_as(nil, 'unshare', '--mount', 'bash', '-euc', MOUNTS + script, 'bash', scratch, site.root,
                  stdin: SYSTEMCTL, env: env)
    assert_equal ['', 0], [done.err, done.code], done.out
    done.out.split(/^== .*\n/).drop(1)
  end

  INSTALL = 'multitenant install --agent --services-group daemon'

  def test_all_of_it_is_done_once_and_goes_again
    first, asked, again, gone, after = host(<<~SHELL)
      mkdir -p /run/systemd/system
      #{INSTALL}
      echo "== asked"
      cat /run/asked
      getent passwd mtagent
      #{INSTALL}
      multitenant uninstall
      echo "== after"
      cat /run/asked
      getent passwd mtagent || echo nobody
    SHELL
    assert_match(/^ran useradd --system .* mtagent$/, first)
    assert_match(/^ran systemctl enable --now multitenant-agent.service$/, first)
    assert_includes first, "Slurm shows all jobs to mtagent.\n"
    refute_includes first, 'For the agent, run'
    assert_match(/\Asystemctl daemon-reload\nsystemctl enable --now multitenant-agent.service\n/, asked)
    assert_match(/^mtagent:x:\d{1,3}:.*nologin$/, asked)
    assert_match(/^kept account mtagent$/, again)
    assert_match(/^kept multitenant-agent.service, which runs$/, again)
    assert_includes again, "Nothing was changed.\n"
    assert_match(/^ran systemctl disable --now .*agent.service$.*^ran userdel mtagent$.*^removed .*agent.serv/m, gone)
    assert_match(/disable --now multitenant-agent.service\nsystemctl daemon-reload\nnobody\n\z/, after)
  end

  # systemctl then refuses to disable it.
  def test_a_unit_that_an_admin_removed_keeps_nothing_from_being_uninstalled
    ['rm /run/on', ':'].each do |stopped|
      _, gone, after = host(<<~SHELL)
        mkdir -p /run/systemd/system
        #{INSTALL}
        rm /etc/systemd/system/multitenant-agent.service
        #{stopped}
        multitenant uninstall
        echo "== after"
        ls /run/on #{MultiTenant::Host::MANIFEST} 2>/dev/null || echo none
      SHELL
      assert_match(/^ran userdel mtagent$/, gone)
      assert_equal stopped == ':', gone.include?('ran systemctl stop multitenant-agent.service')
      assert_equal "none\n", after
      FileUtils.remove_entry(File.join(temporary, 'scratch'))
    end
  end

  def test_a_dry_run_does_none_of_it
    told, after = host(<<~SHELL)
      mkdir -p /run/systemd/system
      #{INSTALL} --dry-run
      echo "== after"
      ls /run/asked 2>/dev/null || echo none
      getent passwd mtagent || echo nobody
    SHELL
    assert_match(/^would run useradd .* mtagent$.*^would run systemctl enable --now multitenant-agent.service$/m, told)
    assert_equal "none\nnobody\n", after
  end

  def test_without_systemd_it_says_what_is_left
    told, gone = host("#{INSTALL}\nmultitenant uninstall\ngetent passwd mtagent || echo nobody\n", sees: 'own')
    assert_match(/^For the agent, run:\n  systemctl daemon-reload\n  systemctl enable --now multitenant-agent.service$/,
                 told)
    another = 'userdel mtagent; useradd --system .* --uid UID mtagent;'
    assert_match(/^Slurm hides .* from mtagent, .* the same uid, \d+\. .*#{another}.*\n  sacctmgr add user mtagent /,
                 told)
    assert_match(/^ran userdel mtagent$.*^nobody$/m, gone)
  end

  def test_an_account_that_could_not_be_made_and_the_admin_made_then_is_theirs
    failed, _, gone = host(<<~SHELL)
      printf '#!/bin/sh\necho "cannot lock /etc/passwd" >&2; exit 1' >/run/bin/useradd
      chmod 755 /run/bin/useradd
      #{INSTALL}
      rm /run/bin/useradd
      useradd --system mtagent
      #{INSTALL}
      multitenant uninstall
      getent passwd mtagent
    SHELL
    assert_match(/^multitenant: `useradd .* mtagent` failed: cannot lock .etc.passwd$.*^code 78$/m, failed)
    assert_match(/^mtagent:x:/, gone)
    refute_match(/userdel/, gone)
  end

  # As over ssh from where another one is set, or by a program that sets it.
  def test_names_of_jobs_and_groups_are_read_in_any_locale
    shipped = 'apps-services/multitenant-llm/site.yml'
    site.release(shipped, File.read(File.join(Tree::ROOT, shipped)))
    told, = host(<<~SHELL, sees: "own\"}\n{\"group\":\"f\u00edsica")
      export LC_ALL=C
      printf 'lab:x:5000:nobody\\nother:x:5001:m\\374ller\\n' >>/etc/group
      #{INSTALL}
    SHELL
    assert_match(/^(?:munge .*)?Service apps seal by /, told)
    assert_match(/^Slurm hides the jobs of others .* from mtagent, .*^Then run /m, told)
  end

  def test_an_account_that_was_there
    taken, told, gone = host(<<~SHELL)
      useradd --uid 5678 --no-create-home mtagent
      #{INSTALL}
      userdel mtagent
      useradd --system mtagent
      #{INSTALL}
      multitenant uninstall
      getent passwd mtagent
    SHELL
    assert_match(/\Amultitenant: The account mtagent has the uid 5678, .*uid below 1000.*^code 78\n\z/m, taken)
    assert_match(/^kept account mtagent$/, told)
    refute_match(/userdel/, gone)
    assert_match(/^mtagent:x:/, gone)
  end
end
