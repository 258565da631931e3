# frozen_string_literal: true

require_relative 'site'
require 'minitest/mock'

# What is refused, and what a killed process leaves.
class TestInstallObstacles < InstallTest
  def test_a_user_is_refused
    site
    before = state
    %i[install uninstall].each do |command|
      code, err = as_user { [site.run(command), site.err] }
      assert_equal [77, "multitenant: This takes root. Run it with sudo.\n"], [code, err]
    end
    assert_tree before
  end

  def test_an_ood_that_is_not_known
    site(ood: nil)
    assert_refused 78, 'VERSION does not say which Open OnDemand this is\. Name it with --ood-version'
    assert_refused 64, '--ood-version takes a number', '--ood-version', 'new'
    assert_installed '--ood-version', '3.1.7'
    assert_equal [Site::CLASSIC], site.active
  end

  # As of a container that keeps it.
  def test_a_state_that_is_a_file_system_of_its_own
    Dir.stub(:rmdir, ->(path) { raise Errno::EBUSY, path }) do
      assert_installed
      assert_equal [0, ''], [site.uninstall, site.err]
    end
  end

  LINKS = { 'initializer' => Site::PLUGIN, 'plugin' => '/etc/ood/config/plugins/multitenant',
            'app' => "#{Site::SYS}/multitenant-gradio", 'state' => '/var/lib/multitenant' }.freeze

  LINKS.each do |what, path|
    define_method(:"test_a_link_in_place_of_the_#{what}") do
      elsewhere = site.at('/elsewhere')
      FileUtils.mkdir_p([elsewhere, File.dirname(site.at(path))])
      [elsewhere, '/nonexistent'].each do |target|
        File.symlink(target, site.at(path))
        assert_refused 73, "#{site.at(path)} is a link"
        File.unlink(site.at(path))
      end
      assert_installed
      FileUtils.rm_r(site.at(path))
      File.symlink(elsewhere, site.at(path))
      assert_refused 73, "#{site.at(path)} is a link"
      assert_refused 73, "#{site.at(path)} is a link", command: :uninstall
    end
  end

  def test_a_link_in_place_of_the_old_initializer
    site.write('/etc/old.rb', OLD)
    File.symlink(site.at('/etc/old.rb'), site.at(Site::CLASSIC))
    assert_refused 73, "#{site.at(Site::CLASSIC)} is a link"
  end

  def test_a_directory_that_others_may_write
    FileUtils.mkdir_p(site.at('/etc/ood/config/plugins'))
    { 0o775 => [0, 0], 0o757 => [0, 0], 0o755 => [2001, 2001] }.each do |mode, owner|
      File.chown(*owner, site.at('/etc/ood/config/plugins'))
      File.chmod(mode, site.at('/etc/ood/config/plugins'))
      assert_refused 73, 'Users other than root can change .*/etc/ood/config/plugins\. Run `chown root'
    end
  end

  def test_what_would_keep_ood_from_loading_the_plugin
    site.write("#{File.dirname(Site::PLUGIN)}/x.txt", '')
    File.chown(2001, 2001, site.at("#{File.dirname(Site::PLUGIN)}/x.txt"))
    assert_refused 73, 'x.txt is not root\'s, so OOD would not load the plugin'
  end

  def test_a_manifest_that_is_none
    ['', '{}', '[]', '{"entries":[{"a":1}]}', 'x'].each do |text|
      site.write('/var/lib/multitenant/manifest.json', text)
      assert_refused 78, 'manifest.json is none of ours, or damaged'
      assert_refused 78, 'manifest.json is none of ours, or damaged', command: :uninstall
    end
    site.write('/var/lib/multitenant/manifest.json', '{"entries":[]}', mode: 0o666)
    assert_refused 78, 'manifest.json may have been written by others'
  end

  def test_two_at_once
    FileUtils.mkdir_p(site.at('/var/lib/multitenant'))
    File.open(site.at('/var/lib/multitenant')) do |dir|
      dir.flock(File::LOCK_EX)
      assert_refused 73, 'Another installation is at work'
    end
    assert_installed
  end

  def test_a_full_disk
    site
    skip_unless(system('mount', '-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', site.at(Site::SYS), err: File::NULL),
                'no file system can be mounted here')
    begin
      site.release('apps-clients/multitenant-gradio/big', 'x' * 100_000)
      assert_equal 73, site.install
      assert_match(/\Amultitenant: .*big.*: No space left on device\. Fix that and run the command again\.$/, site.err)
      assert_empty Dir.glob("#{site.at(Site::SYS)}/*/.*big*")
      assert_equal 0, site.uninstall
      assert_empty Dir.children(site.at(Site::SYS))
    ensure
      system('umount', site.at(Site::SYS))
    end
  end

  # ---- killed ----

  # What the installer tells waits for an answer: killed there, exactly that much is done.
  class Gate
    def initialize(told, answers)
      @told = told
      @answers = answers
    end

    def puts(*lines)
      @told.puts lines
      @told.flush
      @answers.gets
    end
  end

  # Kills the command after it told of so many paths.
  # @return [Boolean] false when it ended before
  def killed_after?(lines, command)
    told, tell = IO.pipe
    answers, answer = IO.pipe
    pid = fork do
      [told, answer].each(&:close)
      options = { services_group: 'daemon', agent: true }
      MultiTenant::Installer.new(options, out: Gate.new(tell, answers), root: site.root).public_send(command)
    ensure
      exit!(0)
    end
    [tell, answers].each(&:close)
    lines.times { told.gets && answer.puts }
    !told.gets.nil?
  rescue Errno::EPIPE
    false
  ensure
    Process.kill(:KILL, pid)
    Process.wait(pid)
    [told, answer].each(&:close)
  end

  # A host of OOD 3.1 with another project's initializer and one of its apps.
  def old_site
    files = Site::FILES.reject { |path, _| path.match?(/clients|delivery|template/) }
    @site = Site.new(self, ood: '3.1.16', enable: Site::DEB, files: files)
    site.write(Site::CLASSIC, OLD)
    site.write("#{Site::SYS}/multitenant-llm/view.html.erb", '<%= host %>')
    relative_state
  end

  def relative_state
    state.transform_keys { |path| path.delete_prefix(site.root) }
         .reject { |path, _| path.match?(%r{\A/var/lib/multitenant(/multitenant-llm.site.yml)?\z}) }
  end

  def test_an_install_that_is_killed_is_mended_by_the_next_or_undone
    old_site
    assert_installed '--agent'
    whole = relative_state
    (0..).each do |lines|
      before = old_site
      break assert_operator(lines, :>, 6) unless killed_after?(lines, :install)

      assert_installed '--agent'
      assert_tree whole, relative_state, "killed after #{lines}"
      old_site
      killed_after?(lines, :install)
      assert_equal 0, site.uninstall, site.err
      assert_tree before, relative_state, "killed after #{lines}"
    end
  end

  def test_an_install_that_is_killed_keeps_settings_that_it_moved_aside
    settings = "#{Site::SYS}/multitenant-llm/site.yml"
    (1..20).find do |lines|
      old_site
      site.write(settings, "cluster: hpc\ngateway: required\n")
      killed_after?(lines, :install) && !site.exist?(settings)
    end
    assert site.exist?('/var/www/ood/apps/multitenant-disabled/multitenant-llm/site.yml')
    assert_installed
    assert_includes site.read(settings), "gateway: required\n"
  end

  def test_an_uninstall_that_is_killed_is_ended_by_the_next
    before = old_site
    (0..).each do |lines|
      assert_installed '--agent'
      whole = relative_state
      break assert_operator(lines, :>, 6) unless killed_after?(lines, :uninstall)

      assert_installed '--agent'
      assert_tree whole, relative_state, "killed after #{lines}"
      killed_after?(lines, :uninstall)
      assert_equal 0, site.uninstall, site.err
      assert_tree before, relative_state, "killed after #{lines}"
    end
  end

  # What is still as the last release had it was not edited.
  def test_an_upgrade_that_is_killed
    before = old_site
    assert_installed
    File.write(File.join(site.gem, 'initializer/multitenant.rb'), "# ood_multitenant, newer\n")
    before = before.merge(relative_state.slice(*relative_state.keys.grep(%r{/gems/.*/initializer/})))
    assert killed_after?(1, :install)
    assert_installed '--dry-run'
    assert_equal [Site::CLASSIC], site.told('would write')
    assert_equal 0, site.uninstall
    assert_tree before, relative_state
  end

  # A file of this size takes long enough to be killed in the middle of it.
  def test_what_a_killed_process_was_writing_is_swept
    site.release('apps-clients/multitenant-gradio/big', '')
    File.truncate(File.join(site.gem, 'apps-clients/multitenant-gradio/big'), 64 << 20)
    before = state
    pid = fork { MultiTenant::Installer.new({}, out: StringIO.new, root: site.root).install }
    scratch = -> { Dir.glob(site.at("#{Site::SYS}/multitenant-gradio/.big.*")) }
    wait_until { scratch.call.any? }
    Process.kill(:KILL, pid)
    Process.wait(pid)
    refute_empty scratch.call
    assert_equal 0, site.uninstall
    assert_tree before
  end
end
