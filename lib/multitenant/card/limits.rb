# frozen_string_literal: true

module MultiTenant
  class Card
    # What publishers may cost those who see their cards, and the web host: bytes and seconds.
    module Limits
      # ---- a page ----

      # Bytes of HTML of what was shared, on a page, of one publisher, and on a card without a file.
      PAGE = 2 << 20
      PUBLISHER = 768 << 10
      CARD = 32 << 10
      # Bytes that each publisher has whatever others share: an ordinary card or two.
      FIRST = 16 << 10
      # Pixels of all images in files that a page shows, and of one publisher's: a viewer's browser has 4 bytes of each,
      # however few the files have.
      PAGE_PIXELS = 64 << 20
      PUBLISHER_PIXELS = 32 << 20
      # What all files that a page shows, and those of one publisher, may cost a browser, in thousandths of what each
      # bound below lets one of them: some half a second.
      PAGE_COST = 8000
      PUBLISHER_COST = 4000

      # ---- a publisher's file ----

      # Bytes of HTML of a publisher's file, also before it is made safe, as some lines of Markdown can become megabytes
      # of it, which the dashboard hands on; of text that is shown as it is, of which each may become eight of HTML;
      # characters of its path in a sentence.
      FILE_HTML = 384 << 10
      TEXT = FILE_HTML / 8
      PATH = 512

      # Bytes that are read of it, and those that are rendered as Markdown or HTML.
      FILE = 1 << 20
      SOURCE = 256 << 10
      # `<` in the HTML that is parsed: a node of the tree takes up to 6 KiB.
      TAGS = 8000
      # Marks on a letter; how often a value may turn its direction around.
      PILED = 32
      TURNS = 100
      # Of each block of a page its characters times those that a browser looks at all others for, and, of what is
      # between two ends of lines, times its pieces in one script, all of which it looks at for each line: all in all it
      # needs half a second for either. Characters of a block of text that has some of the first.
      WEIGHT = 1 << 27
      BLOCK = 4096
      # Letters of languages without blanks between words times all characters up to the next blank: to learn how narrow
      # a cell, or the column with the cards, may be, a browser divides all of that into words anew for each word.
      WORDS = 5 << 20
      # Rows times columns of all its tables, of which browsers keep each crossing.
      CROSSINGS = 50_000
      # Characters in all its ruby, of which each costs a browser as much as twenty others, or more.
      RUBY = 30_000
      # Elements of a line within one another, of which the inner ones go; and all characters times those that they are
      # in beyond one: a browser has a box of each for each line, and a line may have one character.
      NESTED = 16
      BOXES = 1 << 18
      # Characters of a `<kbd>`, whose corners are round: of such a one, browsers look at all lines for each of them.
      KBD = 100
      # Pixels of all images in it.
      PIXELS = 16 << 20
      # Bytes that a child may have beyond what it starts with: the reader with the dashboard's, which it shares; the
      # parser with 25 MiB.
      MEMORY = 48 << 20
      # Seconds in which the file is read, in which each step after that is done, and those of the processor.
      READ = 3
      STEP = 10
      CPU = 3
      # Bytes of a core, which the end by the processor's soft limit would leave. To the kernel 1 means none; with 0 it
      # still hands one to a program that collects them.
      CORE = 1
      # Seconds of the processor that all files of one publisher may take within PAUSE; FREE of each don't count.
      PUBLISHER_SECONDS = 20
      FREE = 0.3
      # Also how long a file that took too much, or did not answer, waits for its next try.
      PAUSE = 600
      # Users for whom something is rendered at a time, on the whole host; sockets that are asked for their user; and
      # how often a child asks whether it is its turn.
      USERS = 4
      LISTENERS = 1024
      TRIES = 10
      # Seconds until a killed child is left alone: a file system may hold it.
      REAP = 1
      # Children that are so held, of one publisher's files and of all: while there are so many, none is started,
      # as they are processes of the host's, of each viewer's dashboard, until the file system answers.
      HELD = 3
      HELD_ALL = 16
      # Bytes of HTML and of paths that are kept, as pages ask every ten seconds; of whoever has the most, what was
      # rendered the longest ago goes first.
      KEPT = 8 << 20
      # Seconds that all pages together wait for children within POLL, the interval of OOD's polling.
      WAIT = 0.5
      POLL = 10

      # For this process. Soft limits: Open OnDemand's SELinux policy lets dashboards, and what they run, change no hard
      # one.
      # @param resource [Symbol]
      # @param most [Integer]
      # @return [void]
      def self.bound(resource, most)
        hard = Process.getrlimit(resource)[1]
        Process.setrlimit(resource, [most, hard].min, hard)
      end
    end
  end
end
