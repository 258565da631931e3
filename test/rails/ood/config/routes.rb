# frozen_string_literal: true

Rails.application.routes.draw do
  root 'dashboard#index'
  namespace :batch_connect do
    resources :sessions, only: %i[index destroy]
    post 'sessions/:id/cancel', to: 'sessions#cancel', as: 'cancel_session'
    scope('*token', constraints: { token: %r{sys/[^/]+} }) { resources :session_contexts, only: %i[new create] }
  end
end
