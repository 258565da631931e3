# frozen_string_literal: true

require_relative 'install_plan'

module MultiTenant
  # What has to be done so that a host is as it was before an installation. What was edited since stays
  # and is named, and so do the directories that hold it; a site.yml is saved.
  class UninstallPlan
    Action = InstallPlan::Action

    # @return [Array<Action>] removals; the moves back come after them
    attr_reader :removals
    # @return [Array<Action>] what puts back what was there before, and removes the directories for it
    attr_reader :returns

    # @param tree [SiteTree]
    # @param manifest [Manifest]
    def initialize(tree, manifest)
      @tree = tree
      @manifest = manifest
      @gone = []
      @left = []
      @removals = []
      @returns = []
      plan_files
      plan_directories(@removals, directories)
      plan_returns
    end

    # @return [Manifest] between the removals and the returns
    def pending
      dirs = directories.select { |entry| !@gone.include?(entry.path) || entry.part == 'disabled' }
      Manifest.new(@left + dirs + moved, pending: true, gem: @manifest.gem)
    end

    # @return [Manifest] after it: what is left
    def final
      dirs = directories.reject { |entry| @gone.include?(entry.path) }
      Manifest.new(@left + dirs + @stuck, gem: @manifest.gem)
    end

    private

    def moved
      @manifest.entries.select { |entry| entry.moved? && @tree.exist?(entry.to) }
    end

    def directories
      dirs = @manifest.entries.select { |entry| entry.directory? && !returned?(entry.path) }
      dirs.sort_by { |entry| -entry.path.size }
    end

    def plan_files
      @manifest.entries.select(&:file?).each do |entry|
        path = entry.path
        @tree.guard(path) unless returned?(path)
        next if !@tree.exist?(path) || returned?(path)

        sha256 = @tree.sha256(path)
        if entry.kind == 'site'
          plan_site(path)
        elsif entry.ours?(sha256)
          remove(@removals, path)
        else
          @left << entry
          @removals << Action.new(:kept, path, '(edited since it was installed: remove it yourself)')
        end
      end
    end

    # What was there before was never moved, or is back already.
    def returned?(path)
      move = @manifest.entries.find { |entry| entry.moved? && "#{path}/".start_with?("#{entry.path}/") }
      move && !move.done && !@tree.exist?(move.to)
    end

    def plan_site(path)
      target = File.join(Host::STATE, "#{File.basename(File.dirname(path))}.site.yml")
      @removals << Action.new(:saved, path, "as #{target}", -> { @tree.save(path, target) })
      remove(@removals, path)
    end

    def remove(actions, path)
      @gone << path
      actions << Action.new(:removed, path, nil, -> { @tree.remove(path) })
    end

    def plan_directories(actions, entries)
      entries.each do |entry|
        inside = @tree.children(entry.path).map { |name| File.join(entry.path, name) }
        next unless (inside - @gone).empty?

        @tree.directory?(entry.path) ? remove(actions, entry.path) : @gone << entry.path
      end
    end

    # Newest first: of several from one place only the newest goes back.
    def plan_returns
      @stuck = []
      taken = []
      moved.reverse_each do |entry|
        if taken.include?(entry.path) || blocked?(entry)
          @stuck << entry
          @returns << Action.new(:kept, entry.to, "(#{entry.path} is taken, or an edited initializer of ours stays)")
        else
          taken << entry.path
          @gone << entry.to
          @returns << Action.new(:moved, entry.to, "to #{entry.path}", -> { @tree.move(entry.to, entry.path) })
        end
      end
      plan_directories(@returns, directories.select { |dir| dir.part == 'disabled' && !@gone.include?(dir.path) })
    end

    # Two initializers that define MultiTenant are never active at once.
    def blocked?(entry)
      return true if entry.part == 'initializer' && @left.any? { |left| left.part == 'initializer' }

      @tree.exist?(entry.path) && !@gone.include?(entry.path)
    end
  end
end
