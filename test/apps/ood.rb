# frozen_string_literal: true

# Does with an app what OOD's dashboard does (BatchConnect::App and BatchConnect::Session, the same in 3.1 to 4.2), as
# the user it runs as: `ood.rb form|stage|submit`, a JSON object on standard input and the answer on standard output.
# Scripts and their submission are ood_core's own.
require 'bundler/setup'
require 'active_support'
require 'active_support/core_ext'
require 'erb'
require 'fileutils'
require 'json'
require 'ood_core'
require 'ostruct'
require 'securerandom'
require 'yaml'

# Where OOD keeps what forms were told the last time.
module BatchConnect
  Session = Struct.new(:cache_root).new
end

# And whether users may save it under a name.
module Configuration
  def self.bc_saved_settings?
    false
  end
end

# An app, a user's answers to its form, and what becomes of them.
class App
  Session = Struct.new(:id, :token, :app, :staged_root)
  Binding = Struct.new(:session, :context) do
    def get_binding # rubocop:disable Naming/AccessorMethodName -- OOD's name
      binding
    end
  end

  attr_reader :root

  # @param question [Hash] "app" (its directory), "values" (of the form), "dataroot", "cluster" (OOD's settings of it)
  def initialize(question)
    BatchConnect::Session.cache_root = Pathname.new(question['dataroot'].to_s).join('batch_connect/cache')
    @root = Pathname.new(question.fetch('app'))
    @values = question['values'].to_h
    @dataroot = question['dataroot']
    @cluster = OodCore::Cluster.new(question.fetch('cluster').deep_symbolize_keys)
    @token = "sys/#{@root.basename}"
    @session = Session.new(SecureRandom.uuid, @token, self)
    @session.staged_root = staged
    @pause = question['pause'].to_f
  end

  def form
    @form ||= YAML.safe_load(render(@root.join('form.yml.erb'), nil))
  end

  # Renders the templates into the session's directory. All that is written has the template's mode, or the umask's.
  def stage
    submission
    staged.mkpath
    template = @root.join('template')
    FileUtils.cp_r("#{template}/.", staged, preserve: true)
    staged.chmod(template.stat.mode)
    staged.glob('**/*.erb').each(&:delete)
    write('user_defined_context.json', JSON.generate(@values))
    names = Binding.new(@session, OpenStruct.new(context)).get_binding
    template.glob('**/*.erb').each do |file|
      to = file.relative_path_from(template).sub_ext('')
      write(to, ERB.new(file.read, trim_mode: '-').result(names))
      staged.join(to).chmod(file.stat.mode)
    end
    write('job_script_content.sh', script)
    write('job_script_options.json', JSON.generate(options))
    # For the next time, as 3.1 does; since 4.0 what password_field asks for is encrypted.
    write(BatchConnect::Session.cache_root.tap(&:mkpath).join("#{@token.tr('/', '_')}.json"), JSON.generate(context))
    { id: @session.id, dir: staged, options: options }
  end

  def submit
    answer = stage
    job = OodCore::Job::Script.new(**options, content: script)
    answer.merge(job_id: @cluster.job_adapter.submit(job))
  end

  private

  def render(file, binding)
    erb = ERB.new(file.read, trim_mode: '-')
    erb.filename = file.to_s
    erb.result(binding)
  end

  # What others could read stays to be read for a while.
  def write(file, text)
    staged.join(file).write(text)
    sleep @pause
  end

  def staged
    Pathname.new(@dataroot).join('batch_connect', @token, 'output', @session.id)
  end

  # Answers count for fields of the form that have no fixed value.
  def context
    attributes = form['attributes'].to_h
    form['form'].to_h do |id|
      attribute = attributes[id]
      default = attribute.is_a?(Hash) ? attribute.fetch('value') { choice(attribute) } : attribute
      [id, attribute.is_a?(Hash) || attribute.nil? ? @values.fetch(id, default.to_s) : default.to_s]
    end
  end

  # What a browser chooses of a select.
  def choice(attribute)
    first = attribute['options'].to_a.first
    first.is_a?(Array) ? first[1] : first
  end

  # What the attributes that OOD itself knows make of their values.
  def smart(id, value)
    case id
    when 'auto_accounts' then { accounting_id: value }
    when 'auto_queues' then { queue_name: value }
    when 'bc_num_hours' then { wall_time: ((value.blank? ? 1 : value.to_f) * 3600).to_i }
    when 'bc_email_on_started' then { email_on_started: !value.to_i.zero? }
    else {}
    end
  end

  def submission
    @submission ||= begin
      answers = OpenStruct.new(context.merge('staged_root' => staged)).instance_eval { binding }
      ours = YAML.safe_load(render(@root.join('submit.yml.erb'), answers)).to_h.deep_symbolize_keys
      context.reduce({}) { |all, (id, value)| all.deep_merge(script: smart(id, value)) }.deep_merge(ours)
    end
  end

  def options
    { job_name: "sys/dashboard/#{@token}", workdir: staged, output_path: staged.join('output.log'),
      shell_path: '/bin/bash' }.merge(submission.fetch(:script, {}).compact)
  end

  def script
    files = { before_file: 'before.sh', script_file: 'script.sh', after_file: 'after.sh', clean_file: 'clean.sh' }
    paths = files.merge(conn_file: 'connection.yml').transform_values { |name| staged.join(name) }
    @cluster.batch_connect_template(**submission.fetch(:batch_connect, {}).compact, work_dir: staged, **paths).to_s
  end
end

if ENV['MULTITENANT_GEM'] != 'absent'
  require 'multitenant'
  require 'ood_core/job/adapters/slurm'
  OodCore::Job::Adapters::Slurm::Batch.prepend(MultiTenant::Dashboard::Submission)
  # A dashboard asks Slurm by itself.
  module MultiTenant
    class << self
      def specs
        @specs ||= say('specs')
      end

      def services
        @services ||= say('services', '--json').transform_values do |service|
          { **service, 'connection' => specs.dig(service['member'], 'connection') }
        end
      end

      def say(*command)
        command = [RbConfig.ruby, File.join(__dir__, 'exe/multitenant'), *command]
        JSON.parse(Bundler.with_unbundled_env { IO.popen(command, &:read) })
      end
    end
  end
end
puts JSON.generate(App.new(JSON.parse($stdin.read)).public_send(ARGV.fetch(0)))
