# frozen_string_literal: true

require 'digest'
require_relative 'manifest'
require_relative 'release'
require_relative '../host'
require_relative '../would'

module MultiTenant
  # The steps by which a host gets what a release brings. Making the plan only reads; carrying it out saves first
  # what an admin has edited, and moves aside what was there before.
  class InstallPlan
    # A line for the admin, and the work behind it, if there is any.
    Action = Struct.new(:name, :path, :note, :work) do
      # @param dry_run [Boolean]
      def told(dry_run)
        [(WOULD[name] if dry_run) || name, path, note].compact.join(' ')
      end
    end

    # How another `MultiTenant` begins; a module of that name can't be loaded beside it.
    FOREIGN = /^\s*class\s+MultiTenant\b/
    OURS = 'ood_multitenant'
    EDITED = File.join(Host::STATE, 'edited').freeze

    class << self
      # @return [Array<String>] where initializers are, and where ours may be
      def initializers(tree)
        [*tree.initializers, Host::PLUGIN].uniq
      end

      # @return [Boolean] the file is the initializer of another MultiTenant
      def another?(tree, path)
        text = tree.read(path)
        text.match?(FOREIGN) || (File.basename(path) == 'multitenant.rb' && !text.include?(OURS))
      end

      # @return [Array<String>] those of another MultiTenant that are here, or were
      def initializers_before(tree, manifest)
        moved = manifest.entries.select { |entry| entry.moved? && entry.part == 'initializer' }.map(&:path)
        moved | initializers(tree).select { |path| tree.file?(path) && manifest[path].nil? && another?(tree, path) }
      end
    end

    # @return [Array<Action>] in the order of the work
    attr_reader :actions

    # @param tree [SiteTree]
    # @param manifest [Manifest] of what is there
    # @param items [Array<Release::Item>] what is to be there
    # @param parts [Array<String>] which parts of an installation these are; the others stay as they are
    def initialize(tree, manifest, items, parts)
      @tree = tree
      @manifest = manifest
      @parts = parts
      @gone = []
      @moves = plan_moves(items)
      @items = with_directories(items)
      @actions = []
      plan
    end

    # @return [Boolean] something is done to a file, or is to be written down
    def changes?
      actions.any?(&:work) || @manifest.pending || sorted(@manifest.entries) != sorted(final.entries)
    end

    # @return [Boolean] the file there is new or another
    def written?(path)
      actions.any? { |action| action.name == :written && action.path == path }
    end

    # @return [Manifest] for the time of the work
    def pending
      items = @items.map do |item|
        old = @manifest[item.entry.path]
        item.entry.dup.tap { |entry| entry.was = [old.sha256, *old.was].compact.uniq if old&.file? }
      end
      Manifest.new(sorted(items + carried + stale + @moves), pending: true, gem: @manifest.gem)
    end

    # @return [Manifest] after it
    def final
      left = stale.select { |entry| entry.directory? && !@gone.include?(entry.path) }
      moves = @moves.map { |entry| entry.dup.tap { |moved| moved.done = true } }
      Manifest.new(sorted(@items.map(&:entry) + carried + left + moves), gem: @manifest.gem)
    end

    private

    def sorted(entries)
      entries.uniq { |entry| [entry.path, entry.moved?, entry.to] }.sort_by { |entry| [entry.path, entry.to.to_s] }
    end

    def plan
      @items.each { |item| @tree.guard(item.entry.path) }
      directories, files = @items.partition { |item| item.entry.directory? }
      plan_directories(directories.select { |item| item.entry.path == Host::DISABLED_APPS })
      @moves.reject(&:done).each do |entry|
        act(:moved, entry.path, "to #{entry.to}") { @tree.move(entry.path, entry.to) }
      end
      plan_removals
      plan_directories(directories.reject { |item| item.entry.path == Host::DISABLED_APPS })
      files.each { |item| plan_file(item) }
    end

    # ---- what was there before ----

    def foreign?(path)
      return false unless @tree.exist?(path)

      moved = @manifest.moved(path)
      @manifest[path].nil? || (moved && !moved.done && !@tree.exist?(moved.to)) || false
    end

    # @return [Array<Manifest::Entry>] old ones and new ones
    def plan_moves(items)
      known = @manifest.entries.select { |entry| entry.moved? && (entry.done || @tree.exist?(entry.to)) }
                       .map { |entry| entry.dup.tap { |moved| moved.done = true } }
      apps = items.map { |item| item.entry.path }.select { |path| File.dirname(path) == Host::APPS && foreign?(path) }
      known + foreign_initializers.map { |path| move(path, "#{path}.disabled", 'initializer') } +
        apps.map { |path| move(path, File.join(Host::DISABLED_APPS, File.basename(path)), 'disabled') }
    end

    def move(path, target, part)
      @tree.guard(path)
      @gone << path
      free = [target, *(2..).lazy.map { |number| "#{target}.#{number}" }.first(99)].find { |name| !@tree.exist?(name) }
      Manifest::Entry.new(path: path, kind: 'moved', part: part, to: free)
    end

    def foreign_initializers
      return [] unless @parts.include?('initializer')

      InstallPlan.initializers(@tree).select do |path|
        next false unless foreign?(path)

        @tree.file?(path) ? InstallPlan.another?(@tree, path) : @tree.guard(path)
      end
    end

    # ---- what is installed ----

    # Directories that are missing above an item are ours, too.
    def with_directories(items)
      if @moves.any? { |entry| entry.part == 'disabled' }
        items = [Release.directory(Host::DISABLED_APPS, 'disabled', mode: '0700'), *items]
      end
      items.flat_map { |item| [*missing_above(item.entry), item] }.uniq { |item| item.entry.path }
    end

    def missing_above(entry)
      above = []
      path = entry.path
      above.unshift(path) while (path = File.dirname(path)) != '/'
      above.select { |dir| @manifest[dir]&.directory? || !@tree.exist?(dir) || gone?(dir) }
           .map { |dir| @manifest[dir] ? Release::Item.new(@manifest[dir]) : Release.directory(dir, entry.part) }
    end

    def gone?(path)
      @gone.any? { |gone| path == gone || path.start_with?("#{gone}/") }
    end

    def there?(path)
      @tree.exist?(path) && !gone?(path)
    end

    def plan_directories(items)
      items.each do |item|
        entry = item.entry
        next if there?(entry.path) && @tree.directory?(entry.path) && @tree.owned?(entry)

        act(:written, entry.path) { @tree.make(entry) }
      end
    end

    def plan_file(item)
      entry = item.entry
      there = there?(entry.path)
      if there && !@tree.file?(entry.path)
        raise Failure.new(EX_CANTCREAT, "#{entry.path} is no file.", fix: 'Move it away.')
      end

      sha256 = @tree.sha256(entry.path) if there
      if sha256 == entry.sha256 && @tree.owned?(entry)
        @actions << Action.new(:kept, entry.path)
      else
        save(entry.path, sha256) if sha256 && edited?(entry, sha256)
        act(:written, entry.path) { @tree.write(entry, item.bytes) }
      end
    end

    def edited?(entry, sha256)
      return false if sha256 == entry.sha256 || entry.kind == 'site'

      old = @manifest[entry.path]
      old.nil? || !old.ours?(sha256)
    end

    # ---- what is removed ----

    def carried
      @manifest.entries.reject { |entry| entry.moved? || @parts.include?(entry.part) || wanted?(entry.path) }
    end

    def stale
      @manifest.entries.select { |entry| !entry.moved? && @parts.include?(entry.part) && !wanted?(entry.path) }
    end

    def wanted?(path)
      @wanted ||= @items.to_h { |item| [item.entry.path, true] }
      @wanted.key?(path)
    end

    def plan_removals
      stale.reject(&:directory?).each { |entry| plan_removal(entry.path, entry) if there?(entry.path) }
      by_hand.each { |path| plan_removal(path, nil) }
      stale.select(&:directory?).sort_by { |entry| -entry.path.size }.each do |entry|
        children = @tree.children(entry.path).map { |name| File.join(entry.path, name) }
        next unless (children - @gone).empty?

        @gone << entry.path
        act(:removed, entry.path) { @tree.remove(entry.path) } if @tree.directory?(entry.path)
      end
    end

    def plan_removal(path, entry)
      @tree.guard(path)
      sha256 = @tree.sha256(path)
      known = entry ? entry.ours?(sha256) && entry.kind != 'site' : @items.any? { |item| item.entry.sha256 == sha256 }
      save(path, sha256) unless known
      @gone << path
      act(:removed, path) { @tree.remove(path) }
    end

    # Our own initializer, put by hand where this installation does not put it.
    def by_hand
      return [] unless @parts.include?('initializer')

      [Host::CLASSIC, Host::PLUGIN].select do |path|
        !wanted?(path) && @manifest[path].nil? && there?(path) && @tree.file?(path)
      end
    end

    def save(path, sha256)
      target = "#{EDITED}#{path}.#{sha256[0, 8]}"
      act(:saved, path, "as #{target}") { @tree.save(path, target) }
    end

    def act(name, path, note = nil, &work)
      @actions << Action.new(name, path, note, work)
    end
  end
end
