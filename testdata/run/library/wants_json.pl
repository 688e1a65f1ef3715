#!/usr/bin/perl
# WANT_JSON
use strict;
use JSON::PP;
local $/;
open(my $f, '<', $ARGV[0]) or die;
my $args = JSON::PP->new->decode(<$f>);
my %own = map { $_ => $args->{$_} } grep { !/^_ansible/ } keys %$args;
print "leading junk\n";
print JSON::PP->new->canonical->encode({
    changed => $args->{_ansible_check_mode} ? JSON::PP::false : JSON::PP::true, own => \%own,
    check => $args->{_ansible_check_mode}, diff => $args->{_ansible_diff}, module => $args->{_ansible_module_name},
    count => scalar(@ARGV), env => $ENV{GREETING},
}), "\n";
