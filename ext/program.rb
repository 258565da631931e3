# frozen_string_literal: true

# What the extconf.rb of the programs share: a program of C that needs jansson and the kit of all programs,
# installed beside lib/multitenant.
require 'mkmf'

# Directories of sources, beside the program's own.
INCLUDES = %w[. ../kit ../multitenant_names ../multitenant].freeze

# Of the kit, what every program has, with what that needs of the core.
KIT = %w[buf.c deadline.c json.c lines.c program.c say.c].freeze

# Its version is the core's to check.
def jansson_missing
  dir_config('jansson')
  return 'jansson has no header jansson.h' unless have_header('jansson.h')

  'jansson cannot be linked' unless have_library('jansson', 'json_object()', 'jansson.h')
end

def munge_missing
  dir_config('munge')
  return 'libmunge has no header munge.h' unless have_header('munge.h')

  'libmunge cannot be linked' unless have_library('munge', 'munge_ctx_create()', 'munge.h')
end

# Directories outside of the loader's own have to be named in the program.
def runtime_paths
  named = $LIBPATH + $LDFLAGS.scan(/-L(\S+)/).flatten
  usual = %r{\A(\.|\$.*|/usr/lib(64)?(/[^/]*-linux-[^/]*)?|/lib(64)?)\z}
  named.uniq.grep_v(usual).select { |dir| File.directory?(dir) }
end

def compiler_flags
  flags = %w[-std=gnu11 -O2 -g -pthread -fPIE -Wall -Wextra]
  flags += %w[-Wconversion -Wshadow -Wformat=2 -Werror] if ENV['MT_WERROR'] == '1'
  flags += %w[-fstack-protector-strong -fcf-protection].select { |flag| try_cflags(flag) }
  [*flags, ENV.fetch('CFLAGS', nil), with_config('cflags')].compact.join(' ')
end

def linker_flags
  flags = %w[-pie -Wl,-z,relro -Wl,-z,now].select { |flag| try_ldflags(flag) }
  paths = runtime_paths.flat_map { |dir| ["-L#{dir}", "-Wl,-rpath,#{dir}"] }
  ['-pthread', *flags, *paths, ENV.fetch('LDFLAGS', nil), with_config('ldflags')].compact.join(' ')
end

def preprocessor_flags(program)
  version = File.read(File.join(__dir__, '../lib/multitenant/version.rb'))[/VERSION = '([^']+)'/, 1]
  own = ['-D_GNU_SOURCE', '-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2', %(-DMT_VERSION='"#{version}"'),
         %(-DMT_PROGRAM='"#{program}"'), *INCLUDES.map { |dir| "-I$(srcdir)/#{dir}" }]
  others = "#{$INCFLAGS} #{$CPPFLAGS}".scan(/-I\S+/).grep_v(/\$|\A-I\.\z/).map { |flag| "-isystem #{flag[2..]}" }
  [*own, *others, ENV.fetch('CPPFLAGS', nil)].compact.join(' ')
end

# @param dir [String] of the program's extconf.rb
# @param others [Array<String>] its sources in other directories, without KIT
def makefile_variables(dir, program, others)
  sources = Dir.children(dir).grep(/\.c\z/).sort + KIT + others
  headers = INCLUDES.flat_map { |from| Dir.glob("#{from}/*.h", base: dir) }.sort
  {
    'srcdir' => dir, 'VPATH' => INCLUDES.map { |from| "$(srcdir)/#{from}" }.join(':'),
    'prefix' => RbConfig::MAKEFILE_CONFIG['prefix'], 'sitearchdir' => RbConfig::CONFIG['sitearchdir'],
    'CC' => RbConfig::CONFIG['CC'], 'CPPFLAGS' => preprocessor_flags(program), 'CFLAGS' => compiler_flags,
    'LDFLAGS' => linker_flags, 'LIBS' => $libs, 'PROGRAM' => program,
    'OBJS' => sources.map { |name| name.sub(/c\z/, 'o') }.join(' '),
    'HEADERS' => headers.map { |name| "$(srcdir)/#{name}" }.join(' ')
  }
end

# lib looks for the program beside itself. RubyGems of EL, and any from 4.1 on, has it in a directory of its own alone.
RULES = <<~MAKEFILE

  all: $(PROGRAM)

  $(PROGRAM): $(OBJS)
  	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJS) $(LIBS)

  $(OBJS): Makefile $(HEADERS)

  .c.o:
  	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ -c $<

  install: all
  	mkdir -p "$(DESTDIR)$(sitearchdir)/multitenant"
  	install -m 0755 $(PROGRAM) "$(DESTDIR)$(sitearchdir)/multitenant/$(PROGRAM)"
  	install -m 0755 $(PROGRAM) "$(srcdir)/../../lib/multitenant/$(PROGRAM)"

  clean:
  	rm -f $(PROGRAM) $(OBJS)

  distclean: clean
  	rm -f Makefile mkmf.log

  .SUFFIXES: .c .o
  .PHONY: all install clean distclean
MAKEFILE

def write_makefile(dir, program, others = [])
  have_library('rt', 'timer_create') # a part of libc since glibc 2.34
  variables = makefile_variables(dir, program, others).map { |name, value| "#{name} = #{value}\n" }.join
  File.write('Makefile', variables + RULES)
  puts "creating Makefile for #{program}"
end

# Writes a Makefile that builds nothing, so that the gem installs all the same.
# @param missing [Array<String>] of what the program needs
# @param loss [String] what there is not, then
# @param packages [Array<String>] of Debian and of EL, besides jansson's
# @param option [String] for libraries that are elsewhere
def skip_program(loss, missing, packages, option)
  missing.each { |what| warn "ood_multitenant: #{what}." }
  warn <<~TEXT
    ood_multitenant: #{loss}
      Debian, Ubuntu: apt install #{packages[0]} libjansson-dev
      EL:             dnf install #{packages[1]} jansson-devel
      elsewhere:      `gem pristine ood_multitenant` as `multitenant doctor` writes it, and at the end of that command
                      -- #{option}=DIR --with-jansson-dir=DIR
      tried:          #{File.expand_path('mkmf.log')} (gem install moves it to the gem's extensions directory)
  TEXT
  File.write('Makefile', "all install clean distclean:\n.PHONY: all install clean distclean\n")
end
