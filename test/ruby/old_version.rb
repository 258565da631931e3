# frozen_string_literal: true

require_relative 'helper'

# Version 0.1.0 from git's history, which another web host may still have, or an admin goes back to. It has no tag: this
# is the last commit before what CHANGELOG.md tells of 0.2.0.
module OldVersion
  COMMIT = '2f8589aeca53ee6ba7f1a360fd0c3b9dd45ae82a'
  NUMBER = '0.1.0'

  class << self
    # @return [String] its tree, built
    def tree
      @tree ||= GemHomes.make.tap { |dir| build(dir) }
    end

    # @return [String, nil] why there is none, in a sentence
    def missing
      return 'it takes a minute: script/test --long' unless ENV.key?('MULTITENANT_LONG')

      found = system('git', '-C', Tree::ROOT, 'cat-file', '-e', "#{COMMIT}^{commit}", %i[out err] => File::NULL)
      "this clone's history is too short for #{NUMBER}: git fetch --unshallow" unless found
    end

    private

    def build(dir)
      statuses = Open3.pipeline(['git', '-C', Tree::ROOT, 'archive', COMMIT], ['tar', '-x', '-C', dir])
      raise 'git archive failed' unless statuses.all?(&:success?)

      said, status = Open3.capture2e({ 'MT_WERROR' => nil }, 'rake', 'compile', chdir: dir)
      raise said unless status.success?

      FileUtils.chmod_R('a+rX,go-w', dir)
    end
  end
end
