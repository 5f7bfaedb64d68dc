#!/usr/bin/perl
# A newcomer at `firstbell setup`, key by key in a terminal, with the installed package and nothing else: newcomer.pl automatic, with the
# mistakes that newcomers make, or newcomer.pl assisted. Shows the screen when a sentence does not come, and writes it into the file
# that SCREEN names when all went well: README's is from there.
use strict;
use warnings;
use Digest::SHA 'hmac_sha1';
use File::Find 'find';
use HTTP::Tiny;
use IPC::Open2 'open2';
use JSON::PP;

# What is not shown by then is not shown at all, in seconds.
use constant PATIENCE_S => 60;
# Where setup itself proposes that the app should send its users.
use constant REDIRECT => 'http://127.0.0.1:5000/back';

my %asks = (
    client   => 'Your Kite client id: ',
    who      => '1 or 2: ',
    redirect => "The app's redirect URL: ",
    key      => "The app's API key (not shown): ",
    place    => "1, 2, 3 or 4 [1]: ",
    secret   => "The app's API secret (not shown): ",
    password => 'Your Kite password (not shown): ',
    again    => 'The same once more: ',
    seed     => 'The TOTP key, or the path of a picture of its QR code (not shown): ',
    code     => 'The six digits that your phone shows for Zerodha now: ',
    channel  => '1, 2, 3 or Enter: ',
    review   => 'Enter to log in, or the name of what you want to change: ',
    sure     => 'Take it all the same? [y/N] ',
    space    => 'Does the space belong to the password? [y/N] ',
);
my $web = HTTP::Tiny->new(max_redirect => 0, timeout => PATIENCE_S);
my ($sim, $account) = kitesim();
my ($screen, $read_to, $keys, $shows, $script) = ('', 0);
# Nothing goes on where this does not.
END { kill TERM => $script if $script }

my %modes = (automatic => \&automatic, assisted => \&assisted);
($modes{ shift // '' } or die "newcomer.pl automatic|assisted\n")->();
nothing_shows();
my $token = `firstbell --config ~/.config/firstbell/rehearsal.toml token --format plain`;
$? == 0 && $token =~ /^\w+$/ or failed('the token is not handed out as the last words of setup say');
if (my $to = $ENV{SCREEN}) {
    open my $file, '>', $to or die "$to: $!\n";
    print {$file} $screen;
}

# Every mistake is met with the sentence that mends it; the wrong redirect URL by the login alone.
sub automatic {
    $account->{password} = "two words $account->{password}";
    pulls('/event', { event => 'password-reset', password => $account->{password} });
    setup();
    mends('client', 'me@example.com', 'This is an e-mail address');
    answers('client', lc $account->{user_id});
    answers('who', 2);
    mends('redirect', '127.0.0.1:5000', 'begins with http:// or https://');
    answers('redirect', REDIRECT =~ s/127\.0\.0\.1/localhost/r);
    mends('key', $account->{api_secret}, 'as an API secret has; an API key has 16');
    answers('sure', '');
    mends('key', $account->{api_key}, 'Kite begins a login with this API key; nothing was spent');
    answers('place', '');
    mends('secret', $account->{api_key}, 'This is the API key once more');
    answers('secret', $account->{api_secret});
    answers('password', " $account->{password} ");
    answers('space', '');
    mends('again', 'two words', 'The two are not the same');
    answers('password', $account->{password});
    answers('again', $account->{password});
    mends('seed', code(0), 'a code that changes every 30 seconds, not the key behind it');
    answers('seed', $account->{totp_seed});
    mends('code', code(300), "Your phone's clock is 5 minutes ahead of this machine's");
    answers('channel', '');
    answers('review', '');
    awaits('the redirect url is not what is registered');
    awaits('run firstbell setup again to change an answer and go on');
    ends() != 0 or failed('a login that led elsewhere counts as done');
    setup();
    answers('channel', '');
    answers('review', 'redirect url');
    answers('redirect', REDIRECT);
    answers('review', '');
    is_set_up();
    ends() == 0 or failed('it does not end well');
}

# A person logs in by the link; this machine's browser is sent back to firstbell.
sub assisted {
    setup();
    answers('client', $account->{user_id});
    answers('who', 1);
    answers('redirect', REDIRECT);
    answers('key', $account->{api_key});
    answers('place', '');
    answers('secret', $account->{api_secret});
    answers('channel', '');
    answers('review', '');
    awaits('Log in here, on any device');
    awaits('Or paste the address');
    my ($link) = $screen =~ /(\S*redirect_params\S*)/ or failed('there is no link');
    logs_in($link);
    is_set_up();
    ends() == 0 or failed('it does not end well');
    $screen !~ /\Q$asks{password}\E|\Q$asks{seed}\E/ or failed('it asks for what it does not need');
}

# What it comes to, and what it says for afterwards.
sub is_set_up {
    awaits('ready: main has a proven token (generation 1)');
    # A rehearsal needs no service, and is offered none.
    awaits('Set up. From now on, each with --config ');
}

# A kitesim as the README has it started in another terminal, which ends with this program: what it announces.
sub kitesim {
    my $pid = open2(my $said, my $held, qw(kitesim serve --with-parent --redirect), REDIRECT);
    our $ends_with_us = $held;
    my $announced = decode_json(scalar <$said>);
    $sim = $announced;
    # Kite ends tokens once a day and counts calls by the second, and takes a code once; a trial may run at any hour, and hurries.
    my $half_a_day_s = (time + 19_800 + 43_200) % 86_400;
    my $flush = sprintf '%02d:%02d', $half_a_day_s / 3600, $half_a_day_s / 60 % 60;
    pulls('/faults', { settings => { flush => $flush, rate_limits => 'off', totp_reuse => JSON::PP::true } });
    return ($announced, $announced->{account});
}

# Pulls a lever of the simulator's.
sub pulls {
    my ($path, $lever) = @_;
    my $reply = $web->post("$sim->{inspect}$path", { content => encode_json($lever), headers => { 'content-type' => 'application/json' } });
    $reply->{success} or die "kitesim, $path: $reply->{content}\n";
}

# firstbell in a terminal of its own, behind what was shown before.
sub setup {
    $script = open2($shows, $keys, 'script', '-qefc', "firstbell setup --rehearsal $sim->{site}", '/dev/null');
}

# Reads until this is shown behind what was waited for before.
sub awaits {
    my ($text) = @_;
    while (index($screen, $text, $read_to) < 0) { shown() or failed("it ends without: $text") }
    $read_to = index($screen, $text, $read_to) + length $text;
}

# Answers a question key by key.
sub answers {
    my ($question, $answer) = @_;
    awaits($asks{$question});
    syswrite $keys, $_ for split(//, $answer), "\n";
}

sub mends {
    my ($question, $answer, $sentence) = @_;
    answers($question, $answer);
    awaits($sentence);
}

# All that is shown to the end; the exit code.
sub ends {
    1 while shown();
    close $keys;
    waitpid $script, 0;
    ($read_to, $script) = (length $screen, undef);
    return $? >> 8;
}

# Whether something more was shown.
sub shown {
    vec(my $ready = '', fileno $shows, 1) = 1;
    select($ready, undef, undef, PATIENCE_S) or failed('nothing more is shown');
    return sysread $shows, $screen, 4096, length $screen;
}

sub failed { die "$screen\n-- $_[0]\n" }

# The six digits of RFC 6238 that a phone shows whose clock is ahead by so many seconds.
sub code {
    my ($ahead_s) = @_;
    my %value;
    @value{ 'A' .. 'Z', 2 .. 7 } = 0 .. 31;
    my $bits = join '', map { sprintf '%05b', $value{$_} } split //, $account->{totp_seed};
    my $seed = pack 'B*', substr $bits, 0, length($bits) - length($bits) % 8;
    my $mac = hmac_sha1(pack('Q>', int((time + $ahead_s) / 30)), $seed);
    my $number = unpack 'N', substr $mac, ord(substr $mac, -1) & 15, 4;
    return sprintf '%06d', ($number & 0x7fffffff) % 1_000_000;
}

# A person with a browser: signs in at the simulated Kite, and goes where the link leads until firstbell has the answer.
sub logs_in {
    my ($link) = @_;
    my %cookies;
    my $asks = sub {
        my ($method, $url, $form) = @_;
        my %options = (headers => { cookie => join('; ', map { "$_=$cookies{$_}" } sort keys %cookies), accept => 'text/html' });
        if ($form) {
            $options{content} = $web->www_form_urlencode($form);
            $options{headers}{'content-type'} = 'application/x-www-form-urlencoded';
        }
        my $reply = $web->request($method, $url, \%options);
        my $set = $reply->{headers}{'set-cookie'} // [];
        for (ref $set ? @$set : $set) { $cookies{$1} = $2 if /^([^=]+)=([^;]*)/ }
        $reply->{status} < 400 or failed("$url: $reply->{status} $reply->{content}");
        return $reply;
    };
    $asks->('GET', "$sim->{site}/connect/login?v=3&api_key=$account->{api_key}");
    my $user = $asks->('POST', "$sim->{site}/api/login", { user_id => $account->{user_id}, password => $account->{password} });
    my $request = decode_json($user->{content})->{data}{request_id};
    $asks->('POST', "$sim->{site}/api/twofa",
        { user_id => $account->{user_id}, request_id => $request, twofa_value => code(0), twofa_type => 'totp' });
    for (1 .. 8) {
        my $reply = $asks->('GET', $link);
        return if $reply->{status} == 200;
        my $next = $reply->{headers}{location};
        $link = $next =~ m{^/} ? ($link =~ m{^(http://[^/]+)})[0] . $next : $next;
    }
    failed("the link leads nowhere: $link");
}

# Neither the screen nor any file of the newcomer's has a secret.
sub nothing_shows {
    my @secrets = map { quotemeta } @$account{qw(password api_secret totp_seed)};
    my $secret = join '|', @secrets;
    my @places = $screen =~ /$secret/i ? ('the screen') : ();
    find(sub {
        return unless -f;
        open my $file, '<:raw', $_ or die "$File::Find::name: $!\n";
        local $/;
        push @places, $File::Find::name if <$file> =~ /$secret/i;
    }, $ENV{HOME});
    @places == 0 or die "a secret is in @places\n";
    -s "$ENV{HOME}/.config/firstbell/rehearsal.toml" or failed('there is no configuration');
}
