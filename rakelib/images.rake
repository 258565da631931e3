# frozen_string_literal: true

desc 'Build the container images of images/, as root: doc/containers.md'
task :images do
  sh 'script/images'
end
