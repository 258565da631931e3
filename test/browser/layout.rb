# frozen_string_literal: true

# What is wrong with how the cards of a page stand, as JavaScript that gives the HTML of each part.
module Layout
  # @param body [String] gives the parts of `card` that it is about
  def self.parts(body)
    <<~JS
      [...document.querySelectorAll('.session-panel')].flatMap((card) => { #{body} })
        .filter((part) => part.checkVisibility()).map((part) => part.outerHTML.slice(0, 200))
    JS
  end

  # Text under a button.
  COVERED = parts(<<~JS)
    const under = (part, box) => {
      const range = document.createRange();
      range.selectNodeContents(part);
      return [...range.getClientRects()]
        .some((r) => r.left < box.right && box.left < r.right && r.top < box.bottom && box.top < r.bottom);
    };
    return [...card.querySelectorAll('td button')].flatMap((button) =>
      [...button.closest('td').querySelectorAll('summary, code')].filter((part) => under(part, button.getBoundingClientRect())));
  JS

  # What stands out of its card where nobody can scroll to it.
  OUTSIDE = parts(<<~JS)
    const scrolls = (part) => part !== card && (getComputedStyle(part).overflowX !== 'visible' || scrolls(part.parentElement));
    const edge = card.getBoundingClientRect().right + 1;
    return [...card.querySelectorAll('*')]
      .filter((part) => part.getBoundingClientRect().right > edge && !scrolls(part.parentElement));
  JS
end
