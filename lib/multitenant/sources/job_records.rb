# frozen_string_literal: true

require 'json'
require_relative 'stream'
require_relative '../errors'

module MultiTenant
  # The records of jobs as the query program writes them, for the sources that have Slurm's answers in Ruby: what the
  # name service says is asked here.
  class JobRecords
    # `user` is "" where it is not known; `end` is 0 without a limit; `name`, the `group` that it names (nil: it is no
    # share's) are bytes; `nodes` is what the source knows its nodes by.
    Job = Struct.new(:job_id, :uid, :user, :wckey, :name, :group, :start, :end, :restarts, :nodes, keyword_init: true)

    # Shares of one publisher whose names are written, and as many of their other jobs; and bytes of the whole text.
    NAMES_PER_PUBLISHER, LIMIT = Core::LIMITS.values_at(:query_shares_per_publisher, :records)

    # Where the name service gave no answer at all.
    UNKNOWN = { 'group_gid' => nil, 'publisher_in_group' => nil, 'publisher_allowed' => nil }.freeze

    # Bytes that are not UTF-8 become U+0000 to U+00FF each. @return [Array(String, Boolean)]
    def self.text(bytes)
      utf8 = bytes.dup.force_encoding(Encoding::UTF_8)
      utf8.valid_encoding? ? [utf8, false] : [bytes.unpack('C*').pack('U*'), true]
    end

    # @param settings [Settings]
    # @param names [Names]
    def initialize(settings, names)
      @settings = settings
      @names = names
    end

    # @param header [Hash] what the source knows of it
    # @param jobs [Array<Job>] the oldest first, those without a place have no name: {without_surplus_names}
    # @param nodes [Hash] what they are known by => as records have them
    # @param seconds [Float] that the name service may take
    # @return [Array(String, String)] the stream, and why the name service said nothing where that is not for lack of
    #   time
    # @raise [Failure]
    def call(header, jobs, nodes, seconds)
      header = header.slice(:generated, :cluster).merge(wckeys: @settings.wckeys, **header,
                                                        publishers: @settings.publishers)
      answers, error = look_up(jobs, seconds)
      text = stream(header, jobs, answers, nodes)
      raise Failure.new(EX_DATAERR, "The records are more than #{LIMIT >> 20} MiB.") if text.bytesize > LIMIT

      [text, error]
    end

    # A job without a name is no share to anybody. The oldest shares keep theirs, and so do the oldest other jobs.
    # @param jobs [Array<Job>] the oldest first
    # @return [Array<Job>] these
    def without_surplus_names(jobs)
      names = Hash.new(0)
      jobs.each do |job|
        next unless (names[[job.uid, job.group.nil?]] += 1) > NAMES_PER_PUBLISHER

        job.name = ''
        job.group = nil
      end
    end

    private

    # @return [Array(Hash, String)] uid and group => what the name service says; why it says nothing,
    #   where that is not for lack of time
    def look_up(jobs, seconds)
      questions = jobs.map { |job| [job.uid, job.group] }.uniq
      return [{}, nil] if questions.empty?

      lines = @names.call(questions, [seconds, 0].max, publishers: @settings.publishers)
      return [questions.zip(lines).to_h, nil] if lines

      unknown = @names.error ? UNKNOWN : UNKNOWN.merge('out_of_time' => true)
      [questions.to_h { |question| [question, unknown] }, @names.error]
    end

    def stream(header, jobs, answers, nodes)
      lines = jobs.map do |job|
        its = { 'nodes' => nodes[job.nodes] }.compact if job.group
        JSON.generate(record(header[:cluster], job, answers.fetch([job.uid, job.group])).merge(its.to_h))
      end
      Stream.text(header.compact, lines)
    end

    def record(cluster, job, answer)
      name, binary = JobRecords.text(job.name)
      user = job.user.empty? ? answer['user'].to_s : JobRecords.text(job.user)[0]
      record = { 'cluster' => cluster, 'job_id' => job.job_id, 'user' => user, 'uid' => job.uid, 'name' => name }
      record['binary'] = true if binary
      record.update('start' => job.start, 'end' => job.end, 'restarts' => job.restarts)
      record.update(answer.slice('group_gid', 'publisher_in_group'))
      record.update(answer.slice('publisher_allowed')) if @settings.publishers
      record.update(answer.slice('out_of_time'), 'wckey' => job.wckey)
    end
  end
end
