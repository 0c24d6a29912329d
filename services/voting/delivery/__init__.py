"""How codes reach phones: providers behind one interface, a courier with failover, and reports of what arrived."""
