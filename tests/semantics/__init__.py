"""What every answer means, as a slow and exact program.

Lists of points, fractions, no shortcuts; nothing of the product is imported. Rules come first here,
and the product is compared with them on random histories.

    points    what is heard: points, identities, openings, what was given up
    streams   which earlier point a point continues: predecessors, resets, first points
    told      what a point tells: its increase, and the time that this increase covers
    windows   INCREASE and RATE of windows
"""
