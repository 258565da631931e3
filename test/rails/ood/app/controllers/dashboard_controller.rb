# frozen_string_literal: true

# The home page.
class DashboardController < ApplicationController
  def index; end
end
