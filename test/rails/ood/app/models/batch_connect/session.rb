# frozen_string_literal: true

module BatchConnect
  # A session of an interactive app: a file in db/, a directory in output/, and a job.
  class Session
    include ActiveModel::Model
    include ActiveModel::Serializers::JSON

    class ClusterNotFound < StandardError; end
    class AdapterNotAllowed < StandardError; end

    FIELDS = %w[id cluster_id job_id created_at token title script_type cache_completed completed_at].freeze
    ADAPTER_ERRORS = [ClusterNotFound, AdapterNotAllowed, OodCore::JobAdapterError].freeze

    attr_accessor(*FIELDS)

    class << self
      def dataroot(token = '', cluster: nil)
        OodAppkit.dataroot.join('batch_connect', cluster.to_s, token.to_s)
      end

      def db_root
        dataroot('db').tap(&:mkpath)
      end

      def cache_root
        dataroot('cache').tap(&:mkpath)
      end

      def all
        files = db_root.children.select { |file| file.file? && file.extname != '.bak' }
        sessions = files.filter_map { |file| load_file(file) }
        sessions.reject! { |session| session.completed? && session.old? && session.destroy }
        sessions.sort_by { |session| [session.completed? ? 0 : 1, session.created_at] }.reverse
      end

      def find(id)
        new.from_json(db_root.join(id).read)
      end

      def exist?(id)
        db_root.join(id).exist?
      end

      private

      # @return [Session, nil] a file that can't be read is put aside
      def load_file(file)
        session = new.from_json(file.read)
        session unless [session.created_at, session.cluster_id, session.job_id].any?(&:nil?)
      rescue StandardError => e
        Rails.logger.error("#{file}: #{e.class}: #{e.message}")
        file.rename("#{file}.bak")
        nil
      end
    end

    def attributes
      FIELDS.to_h { |name| [name, nil] }
    end

    def attributes=(values)
      values.each { |name, value| public_send("#{name}=", value) if respond_to?("#{name}=") }
    end

    def app
      @app ||= App.from_token(token)
    end

    def view
      app.session_view
    end

    # What is staged stays, whether the job is submitted or not.
    def save(app:, context:, format: nil) # rubocop:disable Lint/UnusedMethodArgument -- OOD's own
      assign_attributes(id: SecureRandom.uuid, token: app.token, cluster_id: context.cluster)
      stage(app.root.join('template'), context)
      self.job_id = adapter.submit(OodCore::Job::Script.new(content: ''))
      db_file.write(to_json)
      true
    rescue StandardError => e
      note_failure(:save, e)
    end

    def db_file
      self.class.db_root.join(id)
    end

    def old?
      db_file.mtime < Configuration.card_days.days.ago
    end

    def cluster
      OodAppkit.clusters[cluster_id] || raise(ClusterNotFound, "There is no cluster '#{cluster_id}'.")
    end

    def adapter
      cluster.job_allow? ? cluster.job_adapter : raise(AdapterNotAllowed, "Cluster '#{cluster_id}' is not for you.")
    end

    def cancel
      adapter.delete(job_id) unless completed?
      @info = completed_info
      update_cache_completed!
      true
    rescue *ADAPTER_ERRORS => e
      note_failure(:delete, e)
    end

    def destroy
      adapter.delete(job_id) unless completed?
      db_file.delete
      true
    rescue *ADAPTER_ERRORS => e
      note_failure(:delete, e)
    end

    def info
      @info || update_info
    end

    def update_info
      @info = cache_completed ? completed_info : adapter.info(job_id)
    rescue *ADAPTER_ERRORS => e
      note_failure(:info, e)
      @info = OodCore::Job::Info.new(id: id, status: :undetermined)
    end

    def update_cache_completed!
      return if cache_completed || !completed?

      self.cache_completed = true
      self.completed_at = Time.now.to_i
      db_file.write(to_json)
    end

    delegate :status, to: :info

    def completed?
      status.completed?
    end

    def starting?
      status.running? && !connect_file.file?
    end

    def running?
      status.running? && connect_file.file?
    end

    def staged_root
      self.class.dataroot(token, cluster: (cluster_id if Configuration.per_cluster_dataroot?)).join('output', id)
    end

    def connect_file
      staged_root.join('connection.yml')
    end

    def connect
      OpenStruct.new(YAML.safe_load(connect_file.read)) # rubocop:disable Style/OpenStructUse -- as OOD does
    end

    def to_hash
      state = { id: id, status: status.to_sym, connect: running? ? connect.to_h : nil,
                time: info.wallclock_time.to_i / 60 }
      Digest::SHA1.hexdigest(state.to_json)
    end

    # Whether the host is a button.
    def ssh_to_compute_node?
      true
    end

    private

    def stage(template, context)
      staged_root.mkpath
      FileUtils.cp_r("#{template}/.", staged_root)
      names = OpenStruct.new(session: self, context: context) # rubocop:disable Style/OpenStructUse -- as OOD does
      Pathname.glob(staged_root.join('**/*.erb')).each do |file|
        text = ERB.new(file.read, trim_mode: '-').result(names.instance_eval { binding })
        file.sub_ext('').write(text)
        file.delete
      end
    end

    def completed_info
      OodCore::Job::Info.new(id: job_id, status: :completed)
    end

    def note_failure(place, error) # rubocop:disable Naming/PredicateMethod -- OOD's own return value
      errors.add(place, error.message)
      Rails.logger.error(error.message)
      false
    end
  end
end
