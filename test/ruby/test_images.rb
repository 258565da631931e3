# frozen_string_literal: true

require_relative 'helper'
require 'yaml'

# Containerfiles and manifests name what is there, and hold no secret. That they build, and that the box comes up:
# script/images.
class TestImages < MultiTenantTest
  DIR = File.join(Tree::ROOT, 'images')
  NAMES = Dir.glob('*/Containerfile', base: DIR).map { |path| File.dirname(path) }
  OBJECTS = Dir.glob(File.join(DIR, 'kubernetes/*.yaml')).flat_map { |path| YAML.load_stream(File.read(path)) }
  SCHEMA = JSON.parse(File.read(File.join(Tree::ROOT, 'test/images/schema.json')))
  TYPES = { 'str' => [String], 'int' => [Integer], 'bool' => [TrueClass, FalseClass],
            'object' => [Integer, String] }.freeze # a port, by number or name
  VERSIONS = { 'Deployment' => 'apps/v1', 'ConfigMap' => 'v1', 'Secret' => 'v1', 'Service' => 'v1' }.freeze

  def of(kind)
    OBJECTS.select { |object| object['kind'] == kind }
  end

  def pods
    of('Deployment').map { |object| object['spec']['template'] }
  end

  def script(*argv)
    run_as(nil, 'bash', File.join(Tree::ROOT, 'script/images'), *argv)
  end

  def test_all_images_are_built_and_documented
    list = File.read(File.join(Tree::ROOT, 'script/images'))[/ALL=\((.*?)\)/, 1].split
    assert_equal NAMES.sort, list.sort
    page = File.read(File.join(Tree::ROOT, 'doc/containers.md'))
    assert_equal list, page.scan(/^\| `(\w+)` \|/).flatten
    done = script('nonsense')
    assert_equal [64, ''], [done.code, done.out]
  end

  def test_manifests_name_images_of_this_version
    images = pods.flat_map { |pod| pod['spec']['containers'] }.map { |container| container['image'] }
    ours = images.grep(%r{/multitenant-})
    refute_empty ours
    assert_empty(ours.reject { |image| image.end_with?(":#{MultiTenant::VERSION}") })
  end

  # As script/packages.sh has them, and what is copied from the tree.
  def test_what_containerfiles_name_is_there
    lists = File.read(File.join(Tree::ROOT, 'script/packages.sh')).scan(/^([A-Z]+)_PACKAGES=/).flatten
    NAMES.each do |name|
      text = File.read(File.join(DIR, name, 'Containerfile'))
      assert_empty text[/images packages ([A-Z ]+?)(?: &&|$)/, 1].split - lists
      copied = text.scan(/^COPY (?:--chown=\S+ )?(?!--)(\S+) /).flatten
      refute_empty(copied)
      copied.each { |path| refute_empty Dir.glob(path, base: Tree::ROOT), "#{name} copies #{path}" }
      assert_includes text, "\nFROM $BASE"
      refute_match(/key|password|token=/i, text.lines.grep_v(/^#/).join)
    end
  end

  # A build copies a whole clone, in which a developer may have more than git.
  def test_no_build_copies_history_what_was_built_or_what_is_hidden
    patterns = File.readlines(File.join(Tree::ROOT, '.dockerignore'), chomp: true).grep_v(/\A#/)
    left_out = lambda do |path|
      parts = path.split('/')
      parts.each_index.any? do |i|
        patterns.any? { |one| File.fnmatch?(one, parts[0..i].join('/'), File::FNM_PATHNAME | File::FNM_DOTMATCH) }
      end
    end
    no = %w[.git/config .env .bundle/config .netrc build/ext/x.c tmp/token pkg/a Gemfile.lock a.gem ext/multitenant/a.o
            lib/multitenant/core.so lib/multitenant/multitenant-query node_modules/a/b]
    assert_empty no.reject(&left_out)
    needed = %w[Rakefile multitenant.gemspec script/images lib/multitenant/version.rb ext/multitenant/extconf.rb
                apps-clients/multitenant-jupyter/site.yml rakelib/compile.rake test/ruby/helper.rb]
    assert_empty needed.select(&left_out)
  end

  def test_manifests_are_of_kinds_that_the_api_has
    assert_equal VERSIONS.keys.sort, OBJECTS.map { |object| object['kind'] }.uniq.sort
    OBJECTS.each do |object|
      assert_equal VERSIONS[object['kind']], object['apiVersion']
      assert_match(/\A[a-z0-9-]{1,63}\z/, object['metadata']['name'])
    end
  end

  # @return [Array<String>] where a value is not as the API's schema has it
  def wrong(value, type, where)
    of = type[/\A(?:list\[|dict\(str, )(.*)[\])]\z/, 1]
    return members_wrong(value, SCHEMA[type], where) if SCHEMA.key?(type)
    return TYPES.fetch(type).include?(value.class) ? [] : [where] unless of
    return [where] unless value.is_a?(type.start_with?('list') ? Array : Hash)

    (value.is_a?(Array) ? value.each_index.zip(value) : value.to_a)
      .flat_map { |name, one| wrong(one, of, "#{where}/#{name}") }
  end

  def members_wrong(value, schema, where)
    return [where] unless value.is_a?(Hash)

    missing = (schema['required'] - value.keys).map { |name| "#{where} without #{name}" }
    missing + value.flat_map do |name, one|
      type = schema['properties'][name]
      type ? wrong(one, type, "#{where}/#{name}") : ["#{where} with #{name}"]
    end
  end

  def test_manifests_are_valid_by_the_apis_schema
    OBJECTS.each { |object| assert_empty wrong(object, "V1#{object['kind']}", object['kind']) }
  end

  def test_a_manifest_that_is_not_valid_is_found
    deployment = of('Deployment').first
    told = lambda do |*path, &change|
      copy = Marshal.load(Marshal.dump(deployment))
      change.call(path.reduce(copy) { |part, name| part.fetch(name) })
      wrong(copy, 'V1Deployment', '')
    end
    assert_equal ['/spec/replicas'], told.call('spec') { |spec| spec['replicas'] = 'many' }
    assert_equal ['/spec without selector'], told.call('spec') { |spec| spec.delete('selector') }
    container = ['spec', 'template', 'spec', 'containers', 0]
    assert_equal ['/spec/template/spec/containers/0 with argv'], told.call(*container) { |one| one['argv'] = [] }
    assert_equal ['/spec/template/spec/containers/0/args/1'], told.call(*container) { |one| one['args'][1] = 7 }
  end

  def test_deployments_and_services_find_their_pods
    pods.zip(of('Deployment')).each do |pod, object|
      assert_equal object['spec']['selector']['matchLabels'], pod['metadata']['labels']
    end
    of('Service').each do |service|
      pod = pods.find { |one| one['metadata']['labels'] == service['spec']['selector'] }
      ports = pod['spec']['containers'].flat_map { |one| one['ports'].map { |port| port['name'] } }
      assert_empty(service['spec']['ports'].map { |port| port['targetPort'] } - ports)
    end
  end

  def test_what_pods_mount_is_one_of_their_volumes
    configs = of('ConfigMap').map { |object| object['metadata']['name'] }
    pods.each do |pod|
      volumes = pod['spec'].fetch('volumes', [])
      mounts = pod['spec']['containers'].flat_map { |one| one.fetch('volumeMounts', []) }
      assert_equal volumes.map { |one| one['name'] }.sort, mounts.map { |one| one['name'] }.sort
      assert_empty(volumes.filter_map { |one| one.dig('configMap', 'name') } - configs)
      assert_equal([0o400], volumes.filter_map { |one| one.dig('secret', 'defaultMode') }.uniq) if volumes.any?
    end
  end

  # Kubernetes gives the files of a Secret to fsGroup, to read.
  def test_a_token_that_is_mounted_is_closed_to_groups_as_its_reader_wants_it
    with_token = pods.select { |pod| pod['spec'].fetch('volumes', []).any? { |one| one['secret'] } }
    refute_empty with_token
    with_token.each do |pod|
      rights = [pod['spec'], *pod['spec']['containers']].map { |one| one.fetch('securityContext', {}) }
      assert_empty rights.flat_map(&:keys) & %w[fsGroup runAsUser]
    end
  end

  def test_no_pod_has_more_rights_than_it_needs
    pods.each do |pod|
      assert_equal false, pod['spec']['automountServiceAccountToken']
      assert_equal 'RuntimeDefault', pod['spec'].dig('securityContext', 'seccompProfile', 'type')
      pod['spec']['containers'].each do |one|
        rights = one['securityContext']
        assert_equal [false, ['ALL']], [rights['allowPrivilegeEscalation'], rights.dig('capabilities', 'drop')]
        refute rights['privileged'] || pod['spec']['hostNetwork']
        refute_match(/:latest\z|\A[^:]+\z/, one['image'])
      end
    end
    values = of('Secret').flat_map { |object| object.fetch('stringData', {}).values + object.fetch('data', {}).values }
    assert_equal [''], values.uniq
  end

  # The agent reads it as OOD's.
  def test_the_agents_cluster_is_one_that_it_can_ask
    path = File.join(temporary, 'hpc.yml')
    File.write(path, of('ConfigMap').first['data'].fetch('hpc.yml'))
    target = MultiTenant::Clusters.from_files(temporary).targets.fetch(0)
    assert_equal 'hpc', target.cluster
    told = YAML.load_file(path).dig('v2', 'custom', 'multitenant')
    mount = pods.flat_map { |pod| pod['spec']['containers'] }.flat_map { |one| one.fetch('volumeMounts', []) }
                .find { |one| one['name'] == 'token' }
    assert_equal File.join(mount['mountPath'], 'token'), told['token']
    assert_match(%r{\Ahttps://}, told['slurmrestd'])
  end
end
