# frozen_string_literal: true

require 'rbconfig'

EXTENSIONS = { 'multitenant' => 'multitenant.so', 'multitenant_query' => 'multitenant-query' }.freeze

desc 'Build the extensions out of tree and put them into lib/multitenant'
task :compile do
  EXTENSIONS.each do |name, product|
    dir = File.expand_path("../build/ext/#{name}", __dir__)
    mkdir_p dir, verbose: false
    chdir dir, verbose: false do
      unless File.exist?('Makefile')
        ruby File.expand_path("../ext/#{name}/extconf.rb", __dir__), '--quiet',
             verbose: false
      end
      sh 'make', '--silent', verbose: false
      built = Dir.glob("{#{product},*/#{product}}").first
      cp built, File.expand_path("../lib/multitenant/#{product}", __dir__), verbose: false if built
    end
  end
end

desc 'Remove what was built'
task :clean do
  rm_rf %w[build pkg], verbose: false
  rm_f EXTENSIONS.values.map { |product| "lib/multitenant/#{product}" }, verbose: false
end
