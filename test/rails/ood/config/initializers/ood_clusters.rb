# frozen_string_literal: true

OodAppkit.configure { |config| config.routes.files_rack_app = false }
OODClusters = OodCore::Clusters.new(OodAppkit.clusters.select(&:allow?))
