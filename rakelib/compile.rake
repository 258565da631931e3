# frozen_string_literal: true

require 'rbconfig'

EXTENSIONS = { 'multitenant' => 'multitenant.so', 'multitenant_gate' => 'multitenant-gate',
               'multitenant_munge' => 'multitenant-munge', 'multitenant_names' => 'multitenant-names',
               'multitenant_query' => 'multitenant-query', 'multitenant_seal' => 'multitenant-seal' }.freeze

# A running process may have the old file mapped: it is replaced, not written over.
def put(built, target)
  cp built, "#{target}.new", verbose: false
  mv "#{target}.new", target, verbose: false
end

desc 'Build the extensions out of tree and put them into lib/multitenant'
task :compile do
  EXTENSIONS.each do |name, product|
    dir = File.expand_path("../build/ext/#{name}", __dir__)
    mkdir_p dir, verbose: false
    chdir dir, verbose: false do
      made_of = ["ext/#{name}", 'ext/kit', 'ext/program.rb', 'lib/multitenant/version.rb']
                .map { |path| File.expand_path("../#{path}", __dir__) }
      unless File.exist?('Makefile') && FileUtils.uptodate?('Makefile', made_of)
        ruby File.expand_path("../ext/#{name}/extconf.rb", __dir__), '--quiet',
             verbose: false
      end
      sh 'make', '--silent', verbose: false
      built = Dir.glob("{#{product},*/#{product}}").first
      put built, File.expand_path("../lib/multitenant/#{product}", __dir__) if built
    end
  end
end

desc 'Remove what was built'
task :clean do
  rm_rf %w[build pkg], verbose: false
  rm_f EXTENSIONS.values.map { |product| "lib/multitenant/#{product}" }, verbose: false
end
